/**
 * Places for requests that are not answered yet, of all connections together. When all are taken, connections queue up
 * for one; whoever got one and wants another goes to the end of the queue.
 */
import { type Continuing, inLaterTurn } from "./tick-scheduler.ts";

/** Who wants a place. */
export interface PlaceSeeker {
  /** There is a place. Takes it, or has no use for it any more; may seek another. */
  takePlace(): void;
}

/** Seekers that are called before the event loop sees to other things. */
const CALLS = 64;

export class Places implements Continuing {
  #max: number;
  #taken = 0;
  readonly #seekers = new Set<PlaceSeeker>();
  /** goOn will be called. */
  #isCalling = false;

  constructor(max: number) {
    this.#max = max;
  }

  /** With fewer than before, those that are taken stay so. */
  resize(max: number): void {
    this.#max = max;
    this.#callSoon();
  }

  /** A place can be had without pushing in. */
  get isFree(): boolean {
    return this.#taken < this.#max && this.#seekers.size === 0;
  }

  take(): void {
    this.#taken++;
  }

  give(count: number): void {
    this.#taken -= count;
    this.#callSoon();
  }

  /** Queues up. */
  seek(seeker: PlaceSeeker): void {
    this.#seekers.add(seeker);
  }

  /** Leaves the queue, if it is there. */
  forget(seeker: PlaceSeeker): void {
    this.#seekers.delete(seeker);
    this.#callSoon();
  }

  #callSoon(): void {
    if (this.#isCalling || this.#seekers.size === 0 || this.#taken >= this.#max) return;
    this.#isCalling = true;
    inLaterTurn(this);
  }

  /** Calls those who have waited longest. */
  goOn(): void {
    this.#isCalling = false;
    let calls = 0;
    for (const seeker of this.#seekers) {
      if (this.#taken >= this.#max || calls++ === CALLS) break;
      this.#seekers.delete(seeker);
      seeker.takePlace();
    }
    this.#callSoon();
  }
}
