/**
 * Worker processes on the same sockets (smmap_workers). The primary process serves like its workers. It also starts them
 * with its sockets, sends each new configuration to one after the other, replaces those that exit, and ends them with it.
 */
import { setTimeout as delay } from "node:timers/promises";
import type { ImapdConf } from "../../config/imapd-conf.ts";
import type { Report } from "../../metrics/report.ts";
import type { Log } from "../../store/store.ts";
import type { Configuration } from "../service.ts";
import type { ShutdownMode } from "../shutdown.ts";
import { WorkerProcess, type WorkerSource } from "./worker-process.ts";

/** Milliseconds before a worker that lived for less than ten times as long is replaced. */
const RESTART_DELAY = 1_000;
/** Milliseconds that a worker may take to exit, beyond the time given to clients. */
const EXIT_TIMEOUT = 10_000;

/** Runs as many workers as configured. A failure is logged; the primary process serves in any case. */
export async function startWorkers(
  supervisor: WorkerSupervisor | null,
  { conf, process: { workers: count } }: Pick<Configuration, "conf" | "process">,
  log: Log,
): Promise<void> {
  if (supervisor === null) return;
  try {
    await supervisor.configure(conf, count - 1);
  } catch (error) {
    log.error(`smmap_workers: ${error instanceof Error ? error.message : String(error)}`);
    return;
  }
  if (count > 1) log.notice(`${count} processes are serving`);
}

export class WorkerSupervisor {
  readonly #source: WorkerSource;
  readonly #log: Log;
  readonly #workers = new Set<WorkerProcess>();
  #conf: ImapdConf | null = null;
  #count = 0;
  #isStopping = false;
  /** Settles when the last of the queued operations has. */
  #queue = Promise.resolve();

  constructor(source: WorkerSource, log: Log) {
    this.#source = source;
    this.#log = log;
  }

  /** Runs that many workers with this configuration. Resolves when each has applied it or failed to. */
  configure(conf: ImapdConf, count: number): Promise<void> {
    return this.#enqueue(() => this.#configure(conf, count));
  }

  /**
   * Starts the workers that are missing for that many; they wait for `configure`. The others are not touched.
   * @throws Error if one could not be started; those that were are ended again
   */
  prepare(count: number): Promise<void> {
    return this.#enqueue(() => this.#prepare(count));
  }

  /**
   * Resolves when all workers have exited. May be called again with a faster mode.
   * @param drainTimeout milliseconds given to clients
   */
  async shutDown(mode: ShutdownMode, drainTimeout: number): Promise<void> {
    this.#isStopping = true;
    for (const worker of this.#workers) worker.shutDown(mode);
    const allExited = Promise.all([...this.#workers].map((worker) => worker.exited));
    const timer = setTimeout(() => {
      for (const worker of this.#workers) worker.kill();
    }, drainTimeout + EXIT_TIMEOUT);
    await allExited;
    clearTimeout(timer);
  }

  /** The counters of each worker. */
  async reports(): Promise<readonly Report[]> {
    const requested = [...this.#workers].map(async (worker) => {
      const report = await worker.report();
      return report === null ? null : { ...report, slot: worker.slot };
    });
    return (await Promise.all(requested)).filter((report) => report !== null);
  }

  /** Runs operations one at a time. A failure rejects for its caller only. */
  #enqueue(operation: () => Promise<void>): Promise<void> {
    const done = this.#queue.then(operation);
    this.#queue = done.catch(() => {});
    return done;
  }

  async #prepare(count: number): Promise<void> {
    const started: WorkerProcess[] = [];
    try {
      for (let i = this.#serving.length; i < count && !this.#isStopping; i++) {
        const worker = this.#add();
        started.push(worker);
        const failure = await worker.started;
        if (failure !== null) throw failure;
      }
    } catch (error) {
      for (const worker of started) worker.shutDown("immediate");
      const reason = error instanceof Error ? error.message : String(error);
      throw new Error(`smmap_workers: a process could not be started: ${reason}`, { cause: error });
    }
  }

  async #configure(conf: ImapdConf, count: number): Promise<void> {
    this.#conf = conf;
    this.#count = count;
    for (const worker of this.#serving.slice(count)) worker.shutDown("drain");
    for (const worker of this.#serving) await this.#send(conf, worker);
    // A worker that exits immediately is replaced after a delay, not here.
    const missing = this.#count - this.#serving.length;
    for (let i = 0; i < missing && !this.#isStopping; i++) await this.#send(conf, this.#add());
  }

  get #serving(): readonly WorkerProcess[] {
    return [...this.#workers].filter((worker) => !worker.isStopping);
  }

  /** The lowest slot without a worker. */
  get #freeSlot(): number {
    const taken = new Set([...this.#workers].map(({ slot }) => slot));
    let slot = 1;
    while (taken.has(slot)) slot++;
    return slot;
  }

  #add(): WorkerProcess {
    const worker = new WorkerProcess(this.#freeSlot, this.#source);
    this.#workers.add(worker);
    void worker.exited.then((cause) => this.#replace(worker, cause));
    return worker;
  }

  async #send(conf: ImapdConf, worker: WorkerProcess): Promise<void> {
    if (await worker.configure(conf)) return;
    if (!worker.isStopping) this.#log.error(`worker ${worker.pid} has not applied the new configuration`);
  }

  async #replace(worker: WorkerProcess, cause: string): Promise<void> {
    this.#workers.delete(worker);
    if (worker.isStopping) return;
    this.#log.error(`worker ${worker.pid} has exited (${cause}) and will be replaced`);
    if (worker.age < RESTART_DELAY * 10) await delay(RESTART_DELAY, null, { ref: false });
    if (this.#isStopping || this.#conf === null) return;
    await this.configure(this.#conf, this.#count).catch((error: Error) => this.#log.error(`workers: ${error.message}`));
  }
}
