/** A moment at which something is given up. */
export interface Deadline {
  /** On the clock of performance.now(), milliseconds. */
  readonly at: number;
  readonly expire: () => void;
}

/**
 * Deadlines that all lie the same time ahead, so they fall due in the order in which they were set: one timer for all
 * of them, set for the oldest.
 */
export class Deadlines {
  readonly #ahead: number;
  readonly #pending = new Set<Deadline>();
  #timer: NodeJS.Timeout | null = null;

  /** @param ahead milliseconds from `add` to `expire` */
  constructor(ahead: number) {
    this.#ahead = ahead;
  }

  add(expire: () => void): Deadline {
    const deadline = { at: performance.now() + this.#ahead, expire };
    this.#pending.add(deadline);
    if (this.#timer === null) this.#arm(this.#ahead);
    return deadline;
  }

  remove(deadline: Deadline): void {
    this.#pending.delete(deadline);
  }

  #arm(delay: number): void {
    this.#timer = setTimeout(() => this.#expire(), delay);
    this.#timer.unref();
  }

  #expire(): void {
    this.#timer = null;
    const now = performance.now();
    for (const deadline of this.#pending) {
      if (deadline.at > now) {
        this.#arm(Math.ceil(deadline.at - now));
        return;
      }
      this.#pending.delete(deadline);
      deadline.expire();
    }
  }
}
