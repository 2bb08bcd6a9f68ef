/** Why and how the process ends. */

/**
 * - unhurried: each client stays until it hangs up, or has been silent for as long as the original waits for one
 * - drain: each client stays until it has been silent for a moment, and not much longer in any case
 * - at once: what was read is answered
 */
export type Haste = "unhurried" | "drain" | "at once";

export interface Ending {
  /** For the log. */
  readonly reason: string;
  readonly haste: Haste;
  /** Exit status. */
  readonly status: number;
}

const hastes: readonly Haste[] = ["unhurried", "drain", "at once"];

/** Wishes that the process end. Only one that is hastier than those before it counts. */
export class Endings {
  #wanted: Ending | null = null;
  #taken: Ending | null = null;
  #wake: () => void = () => {};

  want(ending: Ending): void {
    if (!isHastier(ending, this.#wanted)) return;
    this.#wanted = ending;
    this.#wake();
  }

  /** The next one that counts; at once, if it has come already. Only one may wait at a time. */
  async next(): Promise<Ending> {
    while (this.#wanted === null || this.#wanted === this.#taken) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    this.#taken = this.#wanted;
    return this.#taken;
  }
}

function isHastier(ending: Ending, other: Ending | null): boolean {
  return other === null || hastes.indexOf(ending.haste) > hastes.indexOf(other.haste);
}
