/** Shuts the daemon down: stops listening, lets connections end, and ends the workers. */
import { exit } from "../io.ts";
import type { Server } from "../net/server.ts";
import type { ActiveService } from "./active-service.ts";
import type { DaemonContext } from "./context.ts";
import { delayExit } from "./exit-delay.ts";
import { masterOf } from "./launch/launcher.ts";
import type { Shutdown } from "./shutdown.ts";
import type { WorkerSupervisor } from "./workers/supervisor.ts";

export interface ShutdownTargets {
  readonly server: Server;
  readonly active: ActiveService;
  /** null: this process starts no workers. */
  readonly supervisor: WorkerSupervisor | null;
}

/** The longest time-out of an idle connection in mode "idle", in milliseconds: that of the original (imap/smmapd.c). */
const IDLE_TIMEOUT_MAX = 360_000;
/** Milliseconds without a request after which mode "drain" closes a connection. */
const DRAIN_IDLE_TIMEOUT = 1_000;

/** Waits for a shutdown request and carries it out, faster if a faster one follows. @returns exit status */
export async function shutDown(context: DaemonContext, targets: ShutdownTargets): Promise<number> {
  const { launch, systemd, shutdowns } = context;
  const { server, active, supervisor } = targets;
  for (let shutdown = await shutdowns.next(); ; ) {
    context.logLifecycle(`shutting down: ${shutdown.reason}`);
    systemd.stopping();
    if (shutdown.status === exit.software && server.connectionCounts.accepted === 0) await delayExit(context);
    masterOf(launch)?.reportUnavailable();
    const drainTimeout = active.current?.drainTimeout ?? 0;
    const drained = [drain(targets, shutdown), supervisor?.shutDown(shutdown.mode, drainTimeout)];
    const faster = await Promise.race([Promise.all(drained).then(() => null), shutdowns.next()]);
    if (faster === null) return shutdown.status;
    shutdown = faster;
  }
}

function drain({ server, active: { current } }: ShutdownTargets, { mode }: Shutdown): Promise<void> {
  if (mode === "immediate" || current === null) return server.close();
  if (mode === "drain") return server.drain(DRAIN_IDLE_TIMEOUT, current.drainTimeout);
  return server.drain(Math.min(current.limits.idleTimeout, IDLE_TIMEOUT_MAX), Number.POSITIVE_INFINITY);
}
