import { type Stats, statSync } from "node:fs";

/** Milliseconds that a new program has to lie there before it is taken to be installed whole. */
const SETTLED = 10_000;

/**
 * Whether the program was replaced on disk since it began: Cyrus' services end then, so that the new one takes over. A
 * program that is gone is about to be replaced, and is no reason to end: nobody could be started in our place.
 */
export class OwnFile {
  readonly #path: string;
  readonly #settled: number;
  readonly #first: Stats | undefined;

  /** @param path the program's main file */
  constructor(path: string, settled = SETTLED) {
    this.#path = path;
    this.#settled = settled;
    this.#first = this.#stat();
  }

  hasChanged(): boolean {
    const first = this.#first;
    const now = this.#stat();
    if (first === undefined || now === undefined) return false;
    if (now.ino === first.ino && now.size === first.size && now.mtimeMs === first.mtimeMs) return false;
    return Date.now() - now.ctimeMs >= this.#settled;
  }

  /** undefined: it cannot be seen, which says as little as that it is gone. */
  #stat(): Stats | undefined {
    try {
      return statSync(this.#path, { throwIfNoEntry: false });
    } catch {
      return undefined;
    }
  }
}
