/**
 * Time-outs of connections. One timer checks all connections once a second: several timers for each connection, restarted
 * at each chunk, would cost more than reading the chunk. A time-out is therefore up to two seconds late, and never early.
 */

/** Milliseconds between two sweeps. */
const INTERVAL = 1_000;

/** The unit in which connections measure time. */
export interface SweepClock {
  /** Sweeps so far; stands still while there are no connections. */
  readonly now: number;
}

/** Number of sweeps that must be exceeded before so many milliseconds have passed. @param milliseconds 0: no limit */
export function sweepsIn(milliseconds: number): number {
  return milliseconds === 0 ? Number.POSITIVE_INFINITY : Math.ceil(milliseconds / INTERVAL);
}

export class TimeoutSweep implements SweepClock {
  now = 0;
  readonly #check: () => boolean;
  #timer: NodeJS.Timeout | null = null;

  /** @param check called at each sweep; false stops the timer until `start` */
  constructor(check: () => boolean) {
    this.#check = check;
  }

  /** Starts the timer; no-op if it runs. */
  start(): void {
    this.#timer ??= setInterval(() => this.#sweep(), INTERVAL).unref();
  }

  #sweep(): void {
    this.now++;
    if (this.#check() || this.#timer === null) return;
    clearInterval(this.#timer);
    this.#timer = null;
  }
}
