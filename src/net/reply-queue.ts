/** Replies of one connection that cannot be sent yet, in the order of their requests. */
import type { Lookup } from "../store/lookup.ts";

/** A request whose reply is not sent yet. */
export interface PendingReply {
  readonly lookup: Lookup;
  /** null: the look-up is in flight. */
  reply: string | null;
}

/** The replies at the head of a queue that are ready. */
export interface ReadyReplies {
  readonly count: number;
  readonly text: string;
}

/** Shared by all empty queues: with a synchronous store, connections never need one of their own. */
const NONE: PendingReply[] = [];

export class ReplyQueue {
  #pending = NONE;

  get size(): number {
    return this.#pending.length;
  }

  /** Adds the reply to the latest request. @param reply null: it is set on the result when it is ready */
  add(lookup: Lookup, reply: string | null): PendingReply {
    const pending: PendingReply = { lookup, reply };
    if (this.#pending === NONE) this.#pending = [];
    this.#pending.push(pending);
    return pending;
  }

  /** Removes the ready replies at the head of the queue, up to the first one whose look-up is in flight. */
  takeReady(): ReadyReplies {
    let text = "";
    let count = 0;
    for (const { reply } of this.#pending) {
      if (reply === null) break;
      text += reply;
      count++;
    }
    if (count > 0) this.#pending.splice(0, count);
    return { count, text };
  }

  /** Empties the queue and aborts its look-ups. */
  abort(reason: Error): void {
    for (const { lookup } of this.#pending) lookup.abort(reason);
    this.#pending = NONE;
  }
}
