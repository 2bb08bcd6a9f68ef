/** Warns once where searches take long, which usually means that an index is missing. */
import type { Log } from "../../src/store/store.ts";
import type { LdapConnection } from "./connection.ts";
import type { FilterKind } from "./visibility-check.ts";

/** Milliseconds of a slow search. */
const SLOW = 50;
/** Searches in a row that have to be slow: one may have met a busy moment. */
const IN_A_ROW = 5;

export class SlowSearchWarning {
  readonly #log: Log;
  #fastest = Number.POSITIVE_INFINITY;
  #count = 0;
  #isGiven = false;

  constructor(log: Log) {
    this.#log = log;
  }

  /** @param duration milliseconds that a search took */
  record({ uri }: LdapConnection, duration: number, { key }: FilterKind): void {
    if (this.#isGiven) return;
    if (duration < SLOW) {
      this.#count = 0;
      this.#fastest = Number.POSITIVE_INFINITY;
      return;
    }
    this.#fastest = Math.min(this.#fastest, duration);
    if (++this.#count < IN_A_ROW) return;
    this.#isGiven = true;
    this.#log.warning(
      `${uri}: ${IN_A_ROW} searches in a row took ${Math.floor(this.#fastest)} ms or more: is every attribute of ` +
        `${key} that holds an address indexed for equality?`,
    );
  }
}
