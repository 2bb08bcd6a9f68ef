/**
 * More processes on the same sockets (smmap_workers). The first process serves like the others. Besides, it starts them
 * and hands its sockets over, tells them of each new configuration, one after the other, starts another one in the place
 * of one that has ended, and has them end with it.
 */
import { setTimeout as delay } from "node:timers/promises";
import type { ImapdConf } from "../../config/imapd-conf.ts";
import type { Report } from "../../metrics/report.ts";
import type { Log } from "../../store/store.ts";
import type { Haste } from "../shutdown.ts";
import { WorkerProcess, type WorkerSource } from "./worker-process.ts";

/** Milliseconds between two starts, where workers do not live longer than ten times that. */
const PAUSE = 1_000;
/** Milliseconds that workers may take to end, beyond what clients are given. */
const END_MAX = 10_000;

export class Workers {
  readonly #source: WorkerSource;
  readonly #log: Log;
  readonly #workers = new Set<WorkerProcess>();
  #conf: ImapdConf | null = null;
  #count = 0;
  #isEnding = false;
  /** One configuration after the other. */
  #turn = Promise.resolve();

  constructor(source: WorkerSource, log: Log) {
    this.#source = source;
    this.#log = log;
  }

  /** Has so many of them serve with this configuration. Resolves when each has had its turn. */
  configure(conf: ImapdConf, count: number): Promise<void> {
    return this.#inTurn(() => this.#configure(conf, count));
  }

  /**
   * Starts those that are missing for so many; they wait for `configure`. What there is goes on as it is.
   * @throws Error where the system starts one of them not; then none has been started
   */
  prepare(count: number): Promise<void> {
    return this.#inTurn(() => this.#prepare(count));
  }

  /** Resolves when all are gone. May be called again, to hurry. @param patience milliseconds given to clients */
  async end(haste: Haste, patience: number): Promise<void> {
    this.#isEnding = true;
    for (const worker of this.#workers) worker.end(haste);
    const everyEnd = Promise.all([...this.#workers].map((worker) => worker.ended));
    const timer = setTimeout(() => {
      for (const worker of this.#workers) worker.kill();
    }, patience + END_MAX);
    await everyEnd;
    clearTimeout(timer);
  }

  /** What each has done so far. */
  async reports(): Promise<readonly Report[]> {
    const asked = [...this.#workers].map(async (worker) => {
      const report = await worker.report();
      return report === null ? null : { ...report, slot: worker.slot };
    });
    return (await Promise.all(asked)).filter((report) => report !== null);
  }

  /** A failure is that of the caller alone, and of no later turn. */
  #inTurn(work: () => Promise<void>): Promise<void> {
    const done = this.#turn.then(work);
    this.#turn = done.catch(() => {});
    return done;
  }

  async #prepare(count: number): Promise<void> {
    const started: WorkerProcess[] = [];
    try {
      for (let i = this.#serving.length; i < count && !this.#isEnding; i++) {
        const worker = this.#add();
        started.push(worker);
        const failure = await worker.started;
        if (failure !== null) throw failure;
      }
    } catch (error) {
      for (const worker of started) worker.end("at once");
      const reason = error instanceof Error ? error.message : String(error);
      throw new Error(`smmap_workers: a process could not be started: ${reason}`, { cause: error });
    }
  }

  async #configure(conf: ImapdConf, count: number): Promise<void> {
    this.#conf = conf;
    this.#count = count;
    for (const worker of this.#serving.slice(count)) worker.end("drain");
    for (const worker of this.#serving) await this.#tell(worker, conf);
    // One that ends at once is replaced after a pause, not here.
    const missing = this.#count - this.#serving.length;
    for (let i = 0; i < missing && !this.#isEnding; i++) await this.#start(conf);
  }

  get #serving(): readonly WorkerProcess[] {
    return [...this.#workers].filter((worker) => !worker.isEnding);
  }

  /** The least that no worker has. */
  get #freeSlot(): number {
    const taken = new Set([...this.#workers].map(({ slot }) => slot));
    let slot = 1;
    while (taken.has(slot)) slot++;
    return slot;
  }

  async #start(conf: ImapdConf): Promise<void> {
    await this.#tell(this.#add(), conf);
  }

  #add(): WorkerProcess {
    const worker = new WorkerProcess(this.#freeSlot, this.#source);
    this.#workers.add(worker);
    void worker.ended.then((how) => this.#replace(worker, how));
    return worker;
  }

  async #tell(worker: WorkerProcess, conf: ImapdConf): Promise<void> {
    if (await worker.configure(conf)) return;
    if (!worker.isEnding) this.#log.error(`worker ${worker.pid} does not serve with the new configuration`);
  }

  async #replace(worker: WorkerProcess, how: string): Promise<void> {
    this.#workers.delete(worker);
    if (worker.isEnding) return;
    this.#log.error(`worker ${worker.pid} has ended (${how}); another takes its place`);
    if (worker.age < PAUSE * 10) await delay(PAUSE, null, { ref: false });
    if (this.#isEnding || this.#conf === null) return;
    await this.configure(this.#conf, this.#count).catch((error: Error) => this.#log.error(`workers: ${error.message}`));
  }
}
