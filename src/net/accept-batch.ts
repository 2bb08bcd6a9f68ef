/**
 * Batches accepted clients. Node.js accepts one client in each tick of the event loop, so clients that connect at the same
 * time would each cost a tick, a transaction of the store and a wake-up for the reply. Accepted clients are therefore
 * held back, unread, until a tick passes in which none is accepted, and are then handled together; earlier, when there are
 * many of them or ticks are long. No more are held back than have just disconnected: clients that keep their connection
 * gain nothing, and another process may be free to serve them.
 */

/** Clients in one batch at most. */
const MAX_BATCH = 32;
/** Milliseconds that the first client of a batch waits at most, plus the rest of the current tick. */
const MAX_DELAY = 1;
/** Milliseconds for which a closed connection lets one accepted client be held back. */
const RECENT = 5;

export class AcceptBatch<Client extends NonNullable<unknown>> {
  readonly #handle: (client: Client) => void;
  readonly #now: () => number;
  #pending: Client[] = [];
  /** When the first pending client was accepted. */
  #pendingSince = 0;
  /** Connections closed in the last RECENT ms, minus those accepted since. */
  #closed = 0;
  /** When the last connection was closed. */
  #closedAt = 0;
  /** A client was accepted in this tick. */
  #hasGrown = false;
  #isScheduled = false;
  readonly #endTick = (): void => {
    if (this.#hasGrown && this.#now() - this.#pendingSince < MAX_DELAY) {
      this.#hasGrown = false;
      setImmediate(this.#endTick);
    } else {
      this.#isScheduled = false;
      this.flush();
    }
  };

  /** @param now a clock in milliseconds */
  constructor(handle: (client: Client) => void, now: () => number = () => performance.now()) {
    this.#handle = handle;
    this.#now = now;
  }

  /** Adds an accepted client, and flushes the batch when no more are expected. */
  add(client: Client): void {
    const now = this.#now();
    this.#hasGrown = true;
    if (this.#pending.push(client) === 1) this.#pendingSince = now;
    const expected = now - this.#closedAt < RECENT ? Math.min(this.#closed, MAX_BATCH) : 0;
    if (this.#pending.length >= expected) this.flush();
    else this.#schedule();
  }

  /** Counts the end of a connection that was handled. */
  onClose(): void {
    const now = this.#now();
    if (now - this.#closedAt >= RECENT) this.#closed = 0;
    this.#closedAt = now;
    this.#closed++;
  }

  /** Handles all pending clients, in the order in which they were accepted. */
  flush(): void {
    this.#closed = Math.max(0, this.#closed - this.#pending.length);
    try {
      for (let client = this.#pending.shift(); client !== undefined; client = this.#pending.shift()) {
        this.#handle(client);
      }
    } finally {
      // If the handler has thrown, the remaining clients are handled in a later tick.
      if (this.#pending.length > 0) this.#schedule();
    }
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(this.#endTick);
  }
}
