import { exit } from "../io.ts";
import type { ReloadQueue } from "./reload-queue.ts";
import type { ShutdownRequests } from "./shutdown.ts";

/** The part of Node's `process` that delivers signals. */
export interface SignalSource {
  on(signal: NodeJS.Signals, listener: () => void): unknown;
}

/**
 * Installs the handlers of SIGHUP, SIGTERM, SIGINT and SIGQUIT, which depend on the role:
 *
 * - service (of master(8)), as all services of Cyrus (lib/signals.c): SIGHUP drains; the others shut down immediately, with
 *   status EX_TEMPFAIL
 * - worker: SIGTERM drains; SIGHUP is ignored; the primary process sends everything else as commands
 * - daemon: SIGHUP reloads; SIGTERM drains; a second SIGTERM and the others shut down immediately
 */
export function installSignalHandlers(
  source: SignalSource,
  role: "service" | "worker" | "daemon",
  { shutdowns, reloads }: { readonly shutdowns: ShutdownRequests; readonly reloads: ReloadQueue },
): void {
  const drain = (reason: string) => shutdowns.request({ reason, mode: "drain", status: exit.ok });
  const stopNow = (reason: string) => {
    shutdowns.request({ reason, mode: "immediate", status: role === "service" ? exit.tempfail : exit.ok });
  };
  const ignore = () => {};
  let isTerminated = false;
  source.on("SIGHUP", () => {
    if (role === "service") drain("SIGHUP");
    else if (role === "daemon") reloads.request();
  });
  source.on("SIGTERM", () => {
    if (role === "service" || isTerminated) stopNow("SIGTERM");
    else drain("SIGTERM");
    isTerminated = true;
  });
  // A terminal sends these to all of its processes, so workers ignore them.
  for (const signal of ["SIGINT", "SIGQUIT"] as const) {
    source.on(signal, role === "worker" ? ignore : () => stopNow(signal));
  }
}
