/** Seconds of a slot, and the number of slots in a minute. */
const SLOT = 5;
const SLOTS = 12;

/** Rate of events in the last minute. It needs no timer: slots advance when events are counted or the rate is read. */
export class Rate {
  /** One slot more than a minute, because the current slot is incomplete. */
  readonly #slots: number[] = Array.from({ length: SLOTS + 1 }, () => 0);
  readonly #startedAt: number;
  #current = 0;

  /** @param now on the clock of performance.now(), as everywhere in this class */
  constructor(now: number) {
    this.#startedAt = now;
  }

  count(now: number): void {
    const slot = this.#slotAt(now);
    if (slot !== this.#current) this.#moveTo(slot);
    const index = slot % this.#slots.length;
    this.#slots[index] = (this.#slots[index] as number) + 1;
  }

  /** Events per second in the last minute, or since the start if that is later. */
  perSecond(now: number): number {
    this.#moveTo(this.#slotAt(now));
    const counted = this.#slots.reduce((sum, count) => sum + count, 0);
    const seconds = (now - this.#startedAt) / 1000;
    const covered = Math.min(seconds, SLOTS * SLOT + (seconds % SLOT));
    return covered < 1 ? counted : counted / covered;
  }

  #slotAt(now: number): number {
    return Math.floor((now - this.#startedAt) / (SLOT * 1000));
  }

  /** Clears the slots between the current one and the next. */
  #moveTo(slot: number): void {
    const passed = Math.min(slot - this.#current, this.#slots.length);
    for (let i = 0; i < passed; i++) this.#slots[(slot - i) % this.#slots.length] = 0;
    this.#current = slot;
  }
}
