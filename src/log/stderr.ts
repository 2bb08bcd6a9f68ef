import { fstatSync, type Stats } from "node:fs";
import type { Writable } from "node:stream";
import { isatty } from "node:tty";
import { setNonBlocking } from "../net/node-internals.ts";
import { Outlet } from "./buffered-sink.ts";
import type { Entry, Format } from "./entry.ts";
import { resolvesWithin } from "./timeout.ts";

/** Milliseconds for the last lines at the end. */
const CLOSING_MAX = 1_000;

/** The standard error output of this process. */
export class StandardError {
  /** journald reads it, which takes the priority of a line from its beginning (sd-daemon(3)). */
  readonly isJournal: boolean;
  /** Somebody may read it: it is not /dev/null. */
  readonly isRead: boolean;
  readonly #outlet: Outlet;
  #isUsable: boolean;

  /**
   * @param stream process.stderr, or any other stream, which is taken to be read
   * @param journal what journald says of the stream that it made, in JOURNAL_STREAM: its device and inode
   */
  constructor(stream: Writable & { readonly fd?: number }, journal: string | undefined, format: Format) {
    const stat = stream.fd === undefined ? null : fstatSync(stream.fd);
    const isTerminal = stream.fd !== undefined && isatty(stream.fd);
    this.isJournal = stat !== null && journal === `${stat.dev}:${stat.ino}`;
    this.#isUsable = stat === null || !isClient(stat);
    this.isRead = this.#isUsable && (isTerminal || stat?.isCharacterDevice() !== true);
    this.#outlet = new Outlet(format);
    if (!this.#isUsable) return;
    if (isTerminal) setNonBlocking(stream);
    // A full disk can be emptied. Of others, whoever read is gone.
    const mayRecover = stat?.isFile() === true;
    stream.on("error", () => {
      if (!mayRecover) this.#lose();
    });
    this.#outlet.connect(stream);
  }

  set format(format: Format) {
    this.#outlet.format = format;
  }

  write(entry: Entry): void {
    if (this.#isUsable) this.#outlet.write(entry);
  }

  /**
   * Waits for the last lines, but not for long.
   * @returns false: nobody takes them, and while they wait the process does not end by itself
   */
  close(): Promise<boolean> {
    return resolvesWithin(CLOSING_MAX, this.#outlet.drained());
  }

  /** Nobody is left to be told. */
  #lose(): void {
    this.#isUsable = false;
    this.#outlet.disconnect();
    this.#outlet.take();
  }
}

/** inetd makes all three descriptors the client's connection, where a line of ours would be an answer. */
function isClient(stderr: Stats): boolean {
  const stdin = fstatSync(0);
  return stderr.isSocket() && stderr.dev === stdin.dev && stderr.ino === stdin.ino;
}
