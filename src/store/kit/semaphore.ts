/** So many places, and those who wait until they get one, in the order in which they came. */
export class WaitingLine {
  #free: number;
  readonly #waiting = new Set<() => void>();

  constructor(places: number) {
    this.#free = places;
  }

  /** Whether a place can be had without waiting. */
  get isFree(): boolean {
    return this.#free > 0;
  }

  take(): void {
    this.#free--;
  }

  /** Gives a place back. Those who have waited longest are called, until all places are taken again. */
  give(): void {
    this.#free++;
    for (const call of this.#waiting) {
      if (this.#free === 0) return;
      this.#waiting.delete(call);
      call();
    }
  }

  /** @param call what is called once there is a place; it may take it */
  wait(call: () => void): void {
    this.#waiting.add(call);
  }

  /** Waits no more. */
  forget(call: () => void): void {
    this.#waiting.delete(call);
  }
}
