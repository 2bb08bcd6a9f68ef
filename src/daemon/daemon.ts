/**
 * The daemon as a process: detects its launcher, sets up log and signals, serves, and turns errors into exit statuses.
 * Only main.ts and this file touch the global `process`.
 */
import { exit, exitStatusOf, type Io } from "../io.ts";
import { ProcessLog } from "../log/log.ts";
import { Tally } from "../metrics/tally.ts";
import type { Log } from "../store/store.ts";
import type { DaemonContext, DaemonOptions } from "./context.ts";
import { delayExit } from "./exit-delay.ts";
import { detectLaunch, type Launch, masterOf, primaryOf } from "./launch/launcher.ts";
import { type StandardInput, standardInput } from "./launch/stdio-client.ts";
import { logOptions } from "./log-options.ts";
import { ReloadQueue } from "./reload-queue.ts";
import { serve } from "./serve.ts";
import { ShutdownRequests } from "./shutdown.ts";
import { installSignalHandlers } from "./signals.ts";
import { SystemdNotifier } from "./systemd-notify.ts";

/**
 * Serves until a signal or a limit ends the process.
 * @param readOptions throws UsageError
 * @returns exit status
 * @throws UsageError, ConfigError before anything is served; logged instead where standard error is not for people
 */
export async function runDaemon(readOptions: () => DaemonOptions, io: Io): Promise<number> {
  const daemon = new Daemon(io);
  try {
    return await daemon.run(readOptions);
  } finally {
    await daemon.close();
  }
}

class Daemon implements DaemonContext {
  readonly host = process;
  readonly io: Io;
  readonly launch: Launch;
  readonly processLog: ProcessLog;
  readonly log: Log;
  readonly tally = new Tally();
  readonly systemd: SystemdNotifier;
  readonly shutdowns = new ShutdownRequests();
  readonly reloads = new ReloadQueue();
  readonly #stdin: StandardInput;
  /** Process of src/smmapd.sh, which passes signals on; null: it does not run. */
  readonly #shell: number | null;

  constructor(io: Io) {
    this.io = io;
    this.#shell = io.env.SMMAPD_SHELL === String(process.ppid) ? process.ppid : null;
    this.#stdin = standardInput(io);
    this.launch = detectLaunch(process, { env: io.env, stdin: this.#stdin, shell: this.#shell });
    const options = logOptions(null, io.env, masterOf(this.launch) !== null);
    this.processLog = new ProcessLog(options, { pid: process.pid, stderr: io.stderr, env: io.env });
    this.log = this.tally.recentProblems.record(this.processLog);
    this.systemd = new SystemdNotifier(io.env, process.pid, this.log);
    // Before anything slow, since the default action of an early signal would kill the process.
    this.#installHandlers();
  }

  async run(readOptions: () => DaemonOptions): Promise<number> {
    try {
      return await serve(this, readOptions());
    } catch (error) {
      if (this.#hasTerminalLog) throw error;
      const status = exitStatusOf(error);
      this.log.error(status === exit.software ? describeInternalError(error) : (error as Error).message);
      await delayExit(this);
      return status;
    }
  }

  /** Flushes the log and closes the connections to other processes. */
  async close(): Promise<void> {
    masterOf(this.launch)?.reportUnavailable();
    this.systemd.close();
    await this.processLog.close();
    primaryOf(this.launch)?.disconnect();
  }

  readonly logLifecycle = (message: string): void => {
    if (this.#hasTerminalLog) this.log.notice(message);
    else this.log.debug(message);
  };

  readonly isOrphaned = (): boolean =>
    masterOf(this.launch)?.isGone === true || (this.#shell !== null && this.#shell !== process.ppid);

  /** Whether standard error may be a terminal or a service manager's log: no Cyrus master, inetd or primary process. */
  get #hasTerminalLog(): boolean {
    return masterOf(this.launch) === null && primaryOf(this.launch) === null && this.#stdin !== "socket";
  }

  #installHandlers(): void {
    const { launch, shutdowns, reloads } = this;
    const primary = primaryOf(launch);
    const role = masterOf(launch) !== null ? "service" : primary !== null ? "worker" : "daemon";
    installSignalHandlers(process, role, { shutdowns, reloads });
    process.on("uncaughtException", (error) => {
      this.log.error(describeInternalError(error));
      shutdowns.request({ reason: "internal error", mode: "immediate", status: exit.software });
    });
    primary?.onCommand({
      configure: reloads.request,
      shutdown: (reason, mode) => shutdowns.request({ reason, mode, status: exit.ok }),
    });
    // Tells the shell that signals can be passed on.
    if (this.#shell !== null) process.kill(this.#shell, "SIGUSR1");
  }
}

function describeInternalError(error: unknown): string {
  return `internal error: ${error instanceof Error ? error.stack : String(error)}`;
}
