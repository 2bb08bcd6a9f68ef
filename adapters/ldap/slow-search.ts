/** Warns once if searches are slow, which usually means that an index is missing. */
import type { Log } from "../../src/store/store.ts";
import type { LdapConnection } from "./connection.ts";
import type { FilterKind } from "./visibility-check.ts";

/** Duration from which a search counts as slow, milliseconds. */
const SLOW = 50;
/** Number of consecutive slow searches before the warning, because a single one may be due to a short load peak. */
const IN_A_ROW = 5;

export class SlowSearchWarning {
  readonly #log: Log;
  #fastest = Number.POSITIVE_INFINITY;
  #count = 0;
  #hasWarned = false;

  constructor(log: Log) {
    this.#log = log;
  }

  /** Called after each search. @param duration milliseconds */
  record({ uri }: LdapConnection, duration: number, { key }: FilterKind): void {
    if (this.#hasWarned) return;
    if (duration < SLOW) {
      this.#count = 0;
      this.#fastest = Number.POSITIVE_INFINITY;
      return;
    }
    this.#fastest = Math.min(this.#fastest, duration);
    if (++this.#count < IN_A_ROW) return;
    this.#hasWarned = true;
    this.#log.warning(
      `${uri}: ${IN_A_ROW} searches in a row took ${Math.floor(this.#fastest)} ms or more: check that every address ` +
        `attribute of ${key} is indexed for equality`,
    );
  }
}
