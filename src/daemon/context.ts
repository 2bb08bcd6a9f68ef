/** What the parts of the daemon share from the start of the process, before the configuration is read. */
import type { Io, PrivilegedProcess } from "../io.ts";
import type { ProcessLog } from "../log/log.ts";
import type { Tally } from "../metrics/tally.ts";
import type { Log } from "../store/store.ts";
import type { Launch } from "./launch/launcher.ts";
import type { ReloadQueue } from "./reload-queue.ts";
import type { MeasuredProcess } from "./resource-usage.ts";
import type { ShutdownRequests } from "./shutdown.ts";
import type { SystemdNotifier } from "./systemd-notify.ts";

/** Options of the command line. */
export interface DaemonOptions {
  /** Path of imapd.conf (-C). */
  readonly configFile: string;
  /** Connections after which to shut down (-U); null: 250 under master(8), unlimited elsewhere. */
  readonly uses: number | null;
  /** Seconds without a connection after which to shut down (-T), 0: never; null: 60 under master(8), never elsewhere. */
  readonly timeout: number | null;
  /** Run debug_command (-D). */
  readonly isDebugged: boolean;
  /** Ignore what follows the plus in an address (-p). */
  readonly skipPlus: boolean;
  /** Serve a client on standard input and output, whatever these are (-X). */
  readonly isClientOnStdin: boolean;
}

/** The part of Node's `process` that the daemon uses; only daemon.ts touches the global one. */
export interface HostProcess extends PrivilegedProcess, MeasuredProcess {
  readonly argv: readonly string[];
  readonly execArgv: readonly string[];
  readonly execPath: string;
  umask(mask: number): unknown;
  /** Seconds. */
  uptime(): number;
}

export interface DaemonContext {
  readonly host: HostProcess;
  readonly io: Io;
  readonly launch: Launch;
  /** Also records errors and warnings for the status report. */
  readonly log: Log;
  readonly processLog: ProcessLog;
  readonly tally: Tally;
  readonly systemd: SystemdNotifier;
  readonly shutdowns: ShutdownRequests;
  readonly reloads: ReloadQueue;
  /** Logs a start, reload or shutdown: at the level notice, or at debug for a process that another program manages. */
  logLifecycle(message: string): void;
  /** Whether the process that would stop this one and start its successor is gone. */
  isOrphaned(): boolean;
}
