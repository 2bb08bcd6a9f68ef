import type { Writable } from "node:stream";
import { type Entry, entryOf, type Format } from "./entry.ts";
import { EntryQueue } from "./queue.ts";

/** Entries per write. */
const BATCH = 100;

/**
 * Writes entries to a stream without blocking: while the stream is full, entries are queued here; while the queue is full,
 * they are lost and counted. The owner handles errors of the stream.
 */
export class BufferedSink {
  /** May change at any time. */
  format: Format;
  readonly #queue = new EntryQueue();
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
    stream.on("drain", this.#flush);
    this.#schedule();
  }

  /** Detaches the stream. Entries are queued until the next `connect`. */
  disconnect(): void {
    this.#stream?.off("drain", this.#flush);
    this.#stream = null;
  }

  /** Removes and returns the entries that were not written to the stream. */
  take(): readonly Entry[] {
    return this.#queue.take();
  }

  /** Resolves when everything has been handed to the system; never, if the stream does not make progress. */
  async drained(): Promise<void> {
    this.#flush();
    const stream = this.#stream;
    if (stream === null) return;
    while (this.#queue.length > 0) await new Promise<void>((resolve) => stream.once("drain", resolve));
    await new Promise<void>((resolve) => stream.write("", () => resolve()));
  }

  /** Writes the entries of one tick of the event loop together. */
  #schedule(): void {
    if (this.#isScheduled || this.#stream === null) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      this.#flush();
    });
  }

  readonly #flush = (): void => {
    while (this.#stream !== null && this.#queue.length > 0 && !this.#stream.writableNeedDrain) {
      const lines = this.#queue.take(BATCH).map((entry) => `${this.format(entry)}\n`);
      this.#stream.write(lines.join(""));
    }
    if (this.#lost === 0 || this.#queue.length > 0) return;
    this.write(entryOf("warning", `${this.#lost} log lines were lost, because they could not be written in time`));
    this.#lost = 0;
  };
}
