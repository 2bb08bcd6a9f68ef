import type { Writable } from "node:stream";

const WIDTH = 30;

/** A progress bar on a terminal; nothing elsewhere. */
export class Progress {
  readonly #stream: Writable & { readonly isTTY?: boolean };
  readonly #total: number;
  readonly #isShown: boolean;

  /** @param isWanted false: never shown */
  constructor(stream: Writable & { readonly isTTY?: boolean }, total: number, isWanted: boolean) {
    this.#stream = stream;
    this.#total = total;
    this.#isShown = isWanted && stream.isTTY === true;
  }

  show(done: number): void {
    if (!this.#isShown) return;
    const filled = Math.round((WIDTH * done) / this.#total);
    this.#stream.write(`\r[${"#".repeat(filled).padEnd(WIDTH)}] ${done} of ${this.#total}`);
  }

  clear(): void {
    if (this.#isShown) this.#stream.write("\r\x1b[K");
  }
}
