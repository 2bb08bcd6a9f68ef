/** Warnings for which there may be reason a thousand times a second: each subject is heard once a minute at most. */
import type { Log } from "../store.ts";

/** Milliseconds. */
const SILENCE = 60_000;

export class Rarely {
  readonly #log: Log;
  /** On the clock of performance.now(). */
  readonly #lastOf = new Map<string, number>();

  constructor(log: Log) {
    this.#log = log;
  }

  /** @param subject one of a few, such as the name of an option */
  warn(subject: string, message: string): void {
    const now = performance.now();
    const last = this.#lastOf.get(subject);
    if (last !== undefined && now - last < SILENCE) return;
    this.#lastOf.set(subject, now);
    this.#log.warning(`${subject}: ${message}`);
  }
}
