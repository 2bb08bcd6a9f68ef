/** Deadlines of equal length, such as those of all look-ups of a store, with one timer for all of them. */

/** A pending deadline, as returned by `Deadlines.add`. */
export interface Deadline {
  /** On the clock of performance.now(), milliseconds. */
  readonly at: number;
  readonly expire: () => void;
}

/**
 * Deadlines of equal length expire in the order in which they were added, so one timer, set for the oldest of them,
 * serves all.
 */
export class Deadlines {
  readonly #timeout: number;
  readonly #pending = new Set<Deadline>();
  #timer: NodeJS.Timeout | null = null;

  /** @param timeout milliseconds from `add` to `expire` */
  constructor(timeout: number) {
    this.#timeout = timeout;
  }

  /** @param expire called once, after the timeout, unless the deadline is removed before */
  add(expire: () => void): Deadline {
    const deadline = { at: performance.now() + this.#timeout, expire };
    this.#pending.add(deadline);
    if (this.#timer === null) this.#arm(this.#timeout);
    return deadline;
  }

  /** Cancels a deadline; no-op if it has expired or was removed. */
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
