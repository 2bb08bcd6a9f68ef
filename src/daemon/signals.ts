import { exit } from "../io.ts";
import type { Reload } from "./reload-queue.ts";
import type { Endings } from "./shutdown.ts";

/** What it takes of Node's `process`. */
export interface SignalSource {
  on(signal: NodeJS.Signals, listener: () => void): unknown;
}

/**
 * What signals mean. To a service of master's, what they mean to all of Cyrus' services (lib/signals.c): SIGHUP is the
 * end after what is in hand, the others are the end at once, with status EX_TEMPFAIL. To a worker, who is told of all
 * else by the first process: SIGTERM is the end after what is in hand. To the daemon by itself: SIGHUP is a reload,
 * SIGTERM the end after what is in hand, and, like the others, the end at once if it comes again.
 */
export function heedSignals(
  source: SignalSource,
  role: "service" | "worker" | "daemon",
  { endings, reload }: { readonly endings: Endings; readonly reload: Reload },
): void {
  const drain = (reason: string) => endings.want({ reason, haste: "drain", status: exit.ok });
  const endAtOnce = (reason: string) => {
    endings.want({ reason, haste: "at once", status: role === "service" ? exit.tempfail : exit.ok });
  };
  const ignore = () => {};
  let isTold = false;
  source.on("SIGHUP", () => {
    if (role === "service") drain("SIGHUP");
    else if (role === "daemon") reload.request();
  });
  source.on("SIGTERM", () => {
    if (role === "service" || isTold) endAtOnce("SIGTERM");
    else drain("SIGTERM");
    isTold = true;
  });
  // A terminal sends them to all processes.
  for (const signal of ["SIGINT", "SIGQUIT"] as const) {
    source.on(signal, role === "worker" ? ignore : () => endAtOnce(signal));
  }
}
