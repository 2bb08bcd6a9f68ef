/** A worker process, as seen by the primary process. */
import { type ChildProcess, spawn } from "node:child_process";
import { setTimeout as delay } from "node:timers/promises";
import type { ImapdConf } from "../../config/imapd-conf.ts";
import type { Report } from "../../metrics/report.ts";
import type { ServedSocket } from "../../net/listener.ts";
import type { ShutdownMode } from "../shutdown.ts";
import { type WorkerCommand, type WorkerStatus, workerEnvironment } from "./primary-channel.ts";

/** What workers are started from. */
export interface WorkerSource {
  /** Program and arguments: those of the primary process. */
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The primary process. */
  readonly pid: number;
  /** The sockets to serve, called at each start of a worker. */
  readonly sockets: () => readonly ServedSocket[];
}

/** Milliseconds that a worker may take to apply a configuration. */
const CONFIGURE_TIMEOUT = 10_000;
/** Milliseconds that it may take to report. */
const REPORT_TIMEOUT = 1_000;

export class WorkerProcess {
  /** Its number among the processes, from 1; the primary process is 0. */
  readonly slot: number;
  readonly #child: ChildProcess;
  readonly #startedAt = performance.now();
  /** Resolves when the system has started it; not null: why it could not. */
  readonly started: Promise<Error | null>;
  /** Resolves when it has exited, with its status or signal. */
  readonly exited: Promise<string>;
  #isStopping = false;
  #onStatus: (status: WorkerStatus | null) => void = () => {};
  #lastReport: Report | null = null;
  /** Called at the next report. */
  #onReport: (() => void)[] = [];

  constructor(slot: number, { command, env, pid, sockets }: WorkerSource) {
    this.slot = slot;
    const [program = "", ...args] = command;
    const served = sockets();
    this.#child = spawn(program, args, {
      env: workerEnvironment(env, pid, served),
      stdio: ["ignore", "inherit", "inherit", ...served.map(({ fd }) => fd), "ipc"],
      serialization: "advanced",
    });
    this.started = new Promise((resolve) => {
      this.#child.once("spawn", () => resolve(null));
      this.#child.once("error", resolve);
    });
    this.exited = new Promise((resolve) => {
      this.#child.once("exit", (status, signal) => resolve(signal ?? `status ${status}`));
      this.#child.once("error", (error) => resolve(error.message));
    });
    void this.exited.then(() => this.#onStatus(null));
    this.#child.on("message", (message) => this.#receive(message as WorkerStatus | Report));
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Milliseconds. */
  get age(): number {
    return performance.now() - this.#startedAt;
  }

  /** Whether a shutdown command was sent. */
  get isStopping(): boolean {
    return this.#isStopping;
  }

  /** Sends a configuration. @returns whether the worker serves with it, within the time-out */
  async configure(conf: ImapdConf): Promise<boolean> {
    this.#send({ command: "configure", conf });
    let timer: NodeJS.Timeout | undefined;
    const status = await new Promise<WorkerStatus | null>((resolve) => {
      this.#onStatus = resolve;
      timer = setTimeout(resolve, CONFIGURE_TIMEOUT, null);
    });
    clearTimeout(timer);
    return status === "serving";
  }

  /** Its counters; after the time-out those of the report before. null: there is no report yet. */
  async report(): Promise<Report | null> {
    this.#send({ command: "report" });
    const reported = new Promise<void>((resolve) => this.#onReport.push(resolve));
    await Promise.race([reported, this.exited, delay(REPORT_TIMEOUT, null, { ref: false })]);
    return this.#lastReport;
  }

  shutDown(mode: ShutdownMode): void {
    this.#isStopping = true;
    this.#send({ command: "shutdown", mode });
  }

  kill(): void {
    this.#child.kill("SIGKILL");
  }

  #receive(message: WorkerStatus | Report): void {
    if (typeof message === "string") {
      this.#onStatus(message);
      return;
    }
    this.#lastReport = message;
    for (const resolve of this.#onReport.splice(0)) resolve();
  }

  #send(command: WorkerCommand): void {
    // The process may have exited, or never have started; `exited` reports that.
    if (this.#child.connected) this.#child.send(command, () => {});
  }
}
