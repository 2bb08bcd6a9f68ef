import type { Entry } from "./entry.ts";

/** Estimated memory of an entry besides its message, in characters. */
const ENTRY_COST = 100;
/** Maximum of all entries of a queue, in characters. */
const QUEUE_MAX = 4 * 1024 * 1024;

/** A bounded FIFO queue. New entries are dropped while it is full, so that the first messages of a problem are kept. */
export class EntryQueue {
  #entries: Entry[] = [];
  #size = 0;

  get length(): number {
    return this.#entries.length;
  }

  /** @returns false: the queue is full, and the entry was dropped */
  push(entry: Entry): boolean {
    if (this.#size >= QUEUE_MAX) return false;
    this.#entries.push(entry);
    this.#size += cost(entry);
    return true;
  }

  /** Removes up to `count` entries from the head; all of them by default. */
  take(count = this.#entries.length): readonly Entry[] {
    const taken = this.#entries.splice(0, count);
    for (const entry of taken) this.#size -= cost(entry);
    return taken;
  }
}

function cost({ message }: Entry): number {
  return message.length + ENTRY_COST;
}
