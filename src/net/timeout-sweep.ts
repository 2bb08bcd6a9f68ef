/**
 * The time of connections. One timer looks at all of them once a second: several timers for each, set back at each chunk,
 * would cost more than reading it. So a time-out comes up to two seconds late, and never early.
 */

/** Milliseconds. */
const TICK = 1_000;

/** What a sweep counts. */
export interface SweepClock {
  /** Ticks so far; it stands still while there is nothing to look at. */
  readonly now: number;
}

/** How many ticks must be exceeded so that so many milliseconds are over. @param milliseconds 0 is never */
export function ticksOf(milliseconds: number): number {
  return milliseconds === 0 ? Number.POSITIVE_INFINITY : Math.ceil(milliseconds / TICK);
}

export class Sweep implements SweepClock {
  now = 0;
  readonly #look: () => boolean;
  #timer: NodeJS.Timeout | null = null;

  /** @param look called at each tick; false: there was nothing to look at */
  constructor(look: () => boolean) {
    this.#look = look;
  }

  /** From now on there is something. */
  start(): void {
    this.#timer ??= setInterval(() => this.#tick(), TICK).unref();
  }

  #tick(): void {
    this.now++;
    if (this.#look() || this.#timer === null) return;
    clearInterval(this.#timer);
    this.#timer = null;
  }
}
