import { type Stats, statSync } from "node:fs";

/** Milliseconds for which a new program file must be unchanged before its installation is taken to be complete. */
const SETTLE_TIME = 10_000;
/** Milliseconds between two checks of the file. */
const CHECK_INTERVAL = 1_000;

export interface ProgramWatchOptions {
  readonly settleTime?: number;
  readonly checkInterval?: number;
}

/**
 * Detects that the program file was replaced on disk: services of Cyrus then exit, so that the new version takes over. A
 * missing file does not count as replaced: it is being replaced, and no successor could be started yet.
 */
export class ProgramWatch {
  readonly #path: string;
  readonly #settleTime: number;
  readonly #checkInterval: number;
  readonly #initial: Stats | undefined;
  #checkedAt = Number.NEGATIVE_INFINITY;
  #isReplaced = false;

  /** @param path the program's main file */
  constructor(path: string, { settleTime = SETTLE_TIME, checkInterval = CHECK_INTERVAL }: ProgramWatchOptions = {}) {
    this.#path = path;
    this.#settleTime = settleTime;
    this.#checkInterval = checkInterval;
    this.#initial = this.#stat();
  }

  /** The result of the last check, which is repeated if it is older than the interval. */
  hasChanged(): boolean {
    const now = performance.now();
    if (now - this.#checkedAt >= this.#checkInterval) {
      this.#checkedAt = now;
      this.#isReplaced = this.#check();
    }
    return this.#isReplaced;
  }

  #check(): boolean {
    const initial = this.#initial;
    const current = this.#stat();
    if (initial === undefined || current === undefined) return false;
    if (current.ino === initial.ino && current.size === initial.size && current.mtimeMs === initial.mtimeMs)
      return false;
    return Date.now() - current.ctimeMs >= this.#settleTime;
  }

  /** undefined: the file is missing or cannot be accessed. */
  #stat(): Stats | undefined {
    try {
      return statSync(this.#path, { throwIfNoEntry: false });
    } catch {
      return undefined;
    }
  }
}
