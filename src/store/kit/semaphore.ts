/**
 * A counting semaphore with a fair queue: a fixed number of slots, and waiters that are called in FIFO order when slots
 * are free.
 */

/** An entry of a semaphore's queue. */
export interface SlotWaiter {
  /** Called when a slot is free; may acquire it and may queue again. */
  onSlot(): void;
}

/** Deferred work; see `defer` of Semaphore. */
interface Deferred {
  resume(): void;
}

/** Waiters that are called in one tick of the event loop where calls are deferred. */
const WAITERS_PER_TICK = 64;

export class Semaphore implements Deferred {
  #max: number;
  #used = 0;
  readonly #waiters = new Set<SlotWaiter>();
  readonly #defer: ((work: Deferred) => void) | null;
  readonly #batch: number;
  /** `resume` is scheduled. */
  #isScheduled = false;

  /**
   * @param max slots; may be infinite
   * @param defer schedules `resume` for a later tick of the event loop; null: waiters are called synchronously, within
   * `release`
   */
  constructor(max: number, defer: ((work: Deferred) => void) | null = null) {
    this.#max = max;
    this.#defer = defer;
    this.#batch = defer === null ? Number.POSITIVE_INFINITY : WAITERS_PER_TICK;
  }

  /** Changes the number of slots. Slots in use beyond a smaller number stay in use until they are released. */
  resize(max: number): void {
    this.#max = max;
    this.#schedule();
  }

  /** Whether a slot is free and no waiter precedes the caller. */
  get isFree(): boolean {
    return this.#used < this.#max && this.#waiters.size === 0;
  }

  /** Takes a slot. The caller has seen `isFree`, or is a waiter that has just been called. */
  acquire(): void {
    this.#used++;
  }

  release(count = 1): void {
    this.#used -= count;
    this.#schedule();
  }

  /** Adds a waiter to the end of the queue; to be called only while `isFree` is false. */
  enqueue(waiter: SlotWaiter): void {
    this.#waiters.add(waiter);
  }

  /** Removes a waiter from the queue; no-op if absent. */
  cancel(waiter: SlotWaiter): void {
    this.#waiters.delete(waiter);
    this.#schedule();
  }

  /** Calls the waiters at the head of the queue while slots are free. */
  resume(): void {
    this.#isScheduled = false;
    let calls = 0;
    for (const waiter of this.#waiters) {
      if (this.#used >= this.#max || calls++ === this.#batch) break;
      this.#waiters.delete(waiter);
      waiter.onSlot();
    }
    this.#schedule();
  }

  #schedule(): void {
    if (this.#isScheduled || this.#waiters.size === 0 || this.#used >= this.#max) return;
    if (this.#defer === null) {
      this.resume();
      return;
    }
    this.#isScheduled = true;
    this.#defer(this);
  }
}
