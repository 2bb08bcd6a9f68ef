/** Seconds of a slot, and how many slots make the minute that is looked back on. */
const SLOT = 5;
const SLOTS = 12;

/** How often something happened in the last minute. It needs no timer: time moves on with what is counted. */
export class Rate {
  /** One more than the minute, so that the slot that is being filled pushes none of it out. */
  readonly #slots: number[] = Array.from({ length: SLOTS + 1 }, () => 0);
  readonly #beganAt: number;
  #current = 0;

  /** @param now on the clock of performance.now(), as everywhere in this class */
  constructor(now: number) {
    this.#beganAt = now;
  }

  count(now: number): void {
    const slot = this.#slotAt(now);
    if (slot !== this.#current) this.#moveTo(slot);
    const place = slot % this.#slots.length;
    this.#slots[place] = (this.#slots[place] as number) + 1;
  }

  /** Times a second in the last minute, or since the beginning if that is less. */
  perSecond(now: number): number {
    this.#moveTo(this.#slotAt(now));
    const counted = this.#slots.reduce((sum, count) => sum + count, 0);
    const seconds = (now - this.#beganAt) / 1000;
    const covered = Math.min(seconds, SLOTS * SLOT + (seconds % SLOT));
    return covered < 1 ? counted : counted / covered;
  }

  #slotAt(now: number): number {
    return Math.floor((now - this.#beganAt) / (SLOT * 1000));
  }

  /** Empties the slots that time has passed over. */
  #moveTo(slot: number): void {
    const passed = Math.min(slot - this.#current, this.#slots.length);
    for (let i = 0; i < passed; i++) this.#slots[(slot - i) % this.#slots.length] = 0;
    this.#current = slot;
  }
}
