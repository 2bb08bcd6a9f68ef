import type { Writable } from "node:stream";
import { type Entry, entryOf, type Format } from "./entry.ts";
import { Queue } from "./queue.ts";

/** Entries for one write. */
const BATCH = 100;

/**
 * From entries to a stream, which gets no more than it takes: the rest waits here, and what is too much is lost and
 * counted. Nobody ever waits for the stream. Its errors are the owner's affair.
 */
export class Outlet {
  /** May change at any time. */
  format: Format;
  readonly #queue = new Queue();
  #stream: Writable | null = null;
  #lost = 0;
  #isScheduled = false;

  constructor(format: Format) {
    this.format = format;
  }

  get isEmpty(): boolean {
    return this.#queue.length === 0;
  }

  write(entry: Entry): void {
    if (!this.#queue.push(entry)) this.#lost++;
    this.#schedule();
  }

  connect(stream: Writable): void {
    this.#stream = stream;
    stream.on("drain", this.#handOver);
    this.#schedule();
  }

  /** Entries wait for another stream. */
  disconnect(): void {
    this.#stream?.off("drain", this.#handOver);
    this.#stream = null;
  }

  /** Takes back what the stream was not given. */
  take(): readonly Entry[] {
    return this.#queue.take();
  }

  /** Resolves when the system has taken everything from us; never, if the stream does not move. */
  async drained(): Promise<void> {
    this.#handOver();
    const stream = this.#stream;
    if (stream === null) return;
    while (this.#queue.length > 0) await new Promise<void>((resolve) => stream.once("drain", resolve));
    await new Promise<void>((resolve) => stream.write("", () => resolve()));
  }

  /** One write for all entries of a turn. */
  #schedule(): void {
    if (this.#isScheduled || this.#stream === null) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      this.#handOver();
    });
  }

  readonly #handOver = (): void => {
    while (this.#stream !== null && this.#queue.length > 0 && !this.#stream.writableNeedDrain) {
      const lines = this.#queue.take(BATCH).map((entry) => `${this.format(entry)}\n`);
      this.#stream.write(lines.join(""));
    }
    if (this.#lost === 0 || this.#queue.length > 0) return;
    this.write(entryOf("warning", `${this.#lost} log lines were lost: nobody took them in time`));
    this.#lost = 0;
  };
}
