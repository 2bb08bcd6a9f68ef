/** Shuts the process down by what its connections show: used up, program replaced, orphaned, or the only client gone. */
import { exit } from "../io.ts";
import type { ConnectionObserver } from "../net/server.ts";
import type { DaemonContext, DaemonOptions } from "./context.ts";
import { masterOf } from "./launch/launcher.ts";
import { ProgramWatch } from "./program-watch.ts";
import { RecyclePolicy } from "./recycling.ts";

/** Defaults of -U and -T under master(8) (Cyrus master/service.h). */
const MAX_USE = 250;
const REUSE_TIMEOUT = 60;

/** @param servesStdio whether the only client is on standard input and output */
export function observeConnections(
  { host, launch, shutdowns, isOrphaned }: DaemonContext,
  { uses, timeout }: DaemonOptions,
  servesStdio: boolean,
): ConnectionObserver {
  const master = masterOf(launch);
  const endWhenIdle = (reason: string) => shutdowns.request({ reason, mode: "idle", status: exit.ok });
  const policy = new RecyclePolicy({
    uses: uses ?? (master === null ? null : MAX_USE),
    timeout: timeout ?? (master === null ? null : REUSE_TIMEOUT),
    onLimit: endWhenIdle,
  });
  const program = master === null ? null : new ProgramWatch(host.argv[1] ?? "");
  return {
    opened: () => {
      master?.reportConnection();
      if (isOrphaned()) shutdowns.request({ reason: "master(8) is gone", mode: "drain", status: exit.ok });
      if (program?.hasChanged()) endWhenIdle("the program file was replaced");
      policy.opened();
    },
    idle: () => {
      if (servesStdio) endWhenIdle("the client has closed the connection");
      else policy.idle();
    },
  };
}
