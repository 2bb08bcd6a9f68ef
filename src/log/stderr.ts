import { fstatSync, type Stats } from "node:fs";
import type { Writable } from "node:stream";
import { isatty } from "node:tty";
import { setNonBlocking } from "../net/node-internals.ts";
import { BufferedSink } from "./buffered-sink.ts";
import type { Entry, Format } from "./entry.ts";
import { resolvesWithin } from "./timeout.ts";

/** Milliseconds for the last lines at the end. */
const CLOSING_MAX = 1_000;

/** Standard error of this process. */
export class StandardError {
  /** Whether journald reads it, which takes the priority from the beginning of each line (sd-daemon(3)). */
  readonly isJournal: boolean;
  /** Whether it may be read: it is neither /dev/null nor a client. */
  readonly isRead: boolean;
  readonly #sink: BufferedSink;
  #isUsable: boolean;

  /**
   * @param stream process.stderr, or another stream, which is taken to be read
   * @param journal JOURNAL_STREAM: device and inode of the stream that journald has created
   */
  constructor(stream: Writable & { readonly fd?: number }, journal: string | undefined, format: Format) {
    const stat = stream.fd === undefined ? null : fstatSync(stream.fd);
    const isTerminal = stream.fd !== undefined && isatty(stream.fd);
    this.isJournal = stat !== null && journal === `${stat.dev}:${stat.ino}`;
    this.#isUsable = stat === null || !isClient(stat);
    this.isRead = this.#isUsable && (isTerminal || stat?.isCharacterDevice() !== true);
    this.#sink = new BufferedSink(format);
    if (!this.#isUsable) return;
    if (isTerminal) setNonBlocking(stream);
    // A write to a file can fail because of a full disk, and succeed later. Any other stream has lost its reader.
    const mayRecover = stat?.isFile() === true;
    stream.on("error", () => {
      if (!mayRecover) this.#disable();
    });
    this.#sink.connect(stream);
  }

  set format(format: Format) {
    this.#sink.format = format;
  }

  write(entry: Entry): void {
    if (this.#isUsable) this.#sink.write(entry);
  }

  /**
   * Waits for the last lines, for a limited time.
   * @returns false: they could not be written, and keep the process from exiting by itself
   */
  close(): Promise<boolean> {
    return resolvesWithin(CLOSING_MAX, this.#sink.drained());
  }

  /** Discards all output from now on. */
  #disable(): void {
    this.#isUsable = false;
    this.#sink.disconnect();
    this.#sink.take();
  }
}

/** Whether standard error is the client's connection, as inetd sets it up: a log line would be taken for a reply. */
function isClient(stderr: Stats): boolean {
  const stdin = fstatSync(0);
  return stderr.isSocket() && stderr.dev === stdin.dev && stderr.ino === stdin.ino;
}
