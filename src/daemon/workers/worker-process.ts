/** A worker as the first process sees it. */
import { type ChildProcess, spawn } from "node:child_process";
import { setTimeout as delay } from "node:timers/promises";
import type { ImapdConf } from "../../config/imapd-conf.ts";
import type { Report } from "../../metrics/report.ts";
import type { ServedSocket } from "../../net/listener.ts";
import type { Haste } from "../shutdown.ts";
import { type WorkerOrder, type WorkerReport, workerEnvironment } from "./primary-channel.ts";

/** What a worker is made of. */
export interface WorkerSource {
  /** Program and arguments: those of the first process. */
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The first process. */
  readonly pid: number;
  /** What is to be served. */
  readonly sockets: readonly ServedSocket[];
}

/** Milliseconds that a worker may take to serve with a configuration. */
const TURN_MAX = 10_000;
/** Milliseconds that it may take to tell what it has done so far. */
const REPORT_MAX = 1_000;

export class WorkerProcess {
  /** Which of the processes it is, counted from 1. */
  readonly slot: number;
  readonly #child: ChildProcess;
  readonly #born = performance.now();
  /** Resolves when the system has started it; not null: why it could not. */
  readonly started: Promise<Error | null>;
  /** Resolves when it has ended, and how. */
  readonly ended: Promise<string>;
  #isEnding = false;
  #hear: (report: WorkerReport | null) => void = () => {};
  #lastReport: Report | null = null;
  /** Resolve who waits for the next one. */
  #wakeReported: (() => void)[] = [];

  constructor(slot: number, { command, env, pid, sockets }: WorkerSource) {
    this.slot = slot;
    const [program = "", ...args] = command;
    this.#child = spawn(program, args, {
      env: workerEnvironment(env, pid, sockets),
      stdio: ["ignore", "inherit", "inherit", ...sockets.map(({ fd }) => fd), "ipc"],
      serialization: "advanced",
    });
    this.started = new Promise((resolve) => {
      this.#child.once("spawn", () => resolve(null));
      this.#child.once("error", resolve);
    });
    this.ended = new Promise((resolve) => {
      this.#child.once("exit", (status, signal) => resolve(signal ?? `status ${status}`));
      this.#child.once("error", (error) => resolve(error.message));
    });
    void this.ended.then(() => this.#hear(null));
    this.#child.on("message", (message) => this.#receive(message as WorkerReport | Report));
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Milliseconds. */
  get age(): number {
    return performance.now() - this.#born;
  }

  /** It was told to end. */
  get isEnding(): boolean {
    return this.#isEnding;
  }

  /** Whether it serves with this configuration, in time. */
  async configure(conf: ImapdConf): Promise<boolean> {
    this.#send({ order: "configure", conf });
    let timer: NodeJS.Timeout | undefined;
    const report = await new Promise<WorkerReport | null>((resolve) => {
      this.#hear = resolve;
      timer = setTimeout(resolve, TURN_MAX, null);
    });
    clearTimeout(timer);
    return report === "serving";
  }

  /** What it has done so far, or had when it was asked before, if it does not tell in time. null: it never has. */
  async report(): Promise<Report | null> {
    this.#send({ order: "report" });
    const told = new Promise<void>((resolve) => this.#wakeReported.push(resolve));
    await Promise.race([told, this.ended, delay(REPORT_MAX, null, { ref: false })]);
    return this.#lastReport;
  }

  end(haste: Haste): void {
    this.#isEnding = true;
    this.#send({ order: "end", haste });
  }

  kill(): void {
    this.#child.kill("SIGKILL");
  }

  #receive(message: WorkerReport | Report): void {
    if (typeof message === "string") {
      this.#hear(message);
      return;
    }
    this.#lastReport = message;
    for (const wake of this.#wakeReported.splice(0)) wake();
  }

  #send(order: WorkerOrder): void {
    // It may be gone, or never have been: `ended` tells.
    if (this.#child.connected) this.#child.send(order, () => {});
  }
}
