import { setTimeout as delay } from "node:timers/promises";
import type { DaemonContext } from "./context.ts";
import { masterOf } from "./launch/launcher.ts";

/** Milliseconds that a child of master(8) runs at least if it fails before its first connection. */
const LIFETIME_MIN = 10_000;

/**
 * Under master(8), delays the exit of a process that fails at startup. Until then master counts it as ready, so that it
 * does not start replacements in a tight loop. A shutdown request ends the delay.
 */
export async function delayExit({ launch, host, shutdowns }: Pick<DaemonContext, "launch" | "host" | "shutdowns">) {
  const rest = LIFETIME_MIN - host.uptime() * 1000;
  if (masterOf(launch) === null || rest <= 0) return;
  await Promise.race([delay(rest), shutdowns.next()]);
}
