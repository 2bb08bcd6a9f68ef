import type { Entry } from "./entry.ts";

/** What an entry costs beyond its message, in characters; roughly. */
const ENTRY_COST = 100;
/** Characters of all entries of a queue. */
const QUEUE_MAX = 4 * 1024 * 1024;

/** Entries in order, within bounds: one that comes when the queue is full is lost, so that what began it is kept. */
export class Queue {
  #entries: Entry[] = [];
  #size = 0;

  get length(): number {
    return this.#entries.length;
  }

  /** @returns false: it is lost */
  push(entry: Entry): boolean {
    if (this.#size >= QUEUE_MAX) return false;
    this.#entries.push(entry);
    this.#size += cost(entry);
    return true;
  }

  /** Takes up to so many entries from the head; all of them by default. */
  take(count = this.#entries.length): readonly Entry[] {
    const taken = this.#entries.splice(0, count);
    for (const entry of taken) this.#size -= cost(entry);
    return taken;
  }
}

function cost({ message }: Entry): number {
  return message.length + ENTRY_COST;
}
