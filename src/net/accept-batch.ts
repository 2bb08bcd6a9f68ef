/**
 * Clients who have just connected. Node.js accepts one in each turn of the event loop, so that those who come at the same
 * time would each have a turn of their own, and with it a transaction of the store and a wake-up when the reply goes out.
 * Here they wait, unread, until a turn goes by in which nobody comes, and are then welcomed together; or sooner, where
 * they are many or the turns are long. Only as many wait as have just left: those who come to stay need not, and another
 * process may have time for them.
 */

/** As many as wait for each other at most. */
const TOGETHER = 32;
/** Milliseconds that the first one waits before the end of a turn is enough: turns may be long. */
const PATIENCE = 1;
/** Milliseconds for which it counts that somebody has left. */
const RECENT = 5;

export class Arrivals<Client extends NonNullable<unknown>> {
  readonly #welcome: (client: Client) => void;
  readonly #now: () => number;
  #waiting: Client[] = [];
  /** When the first of them came. */
  #since = 0;
  /** As many have left lately and are not yet replaced by others, and when the last one did. */
  #left = 0;
  #leftAt = 0;
  /** Somebody has come in this turn. */
  #isNews = false;
  #isLooking = false;
  readonly #endTurn = (): void => {
    if (this.#isNews && this.#now() - this.#since < PATIENCE) {
      this.#isNews = false;
      setImmediate(this.#endTurn);
    } else {
      this.#isLooking = false;
      this.welcome();
    }
  };

  /** @param now a clock of milliseconds */
  constructor(welcome: (client: Client) => void, now: () => number = () => performance.now()) {
    this.#welcome = welcome;
    this.#now = now;
  }

  add(client: Client): void {
    const now = this.#now();
    this.#isNews = true;
    if (this.#waiting.push(client) === 1) this.#since = now;
    const expected = now - this.#leftAt < RECENT ? Math.min(this.#left, TOGETHER) : 0;
    if (this.#waiting.length >= expected) this.welcome();
    else this.#look();
  }

  /** One who was welcomed has left. */
  leave(): void {
    const now = this.#now();
    if (now - this.#leftAt >= RECENT) this.#left = 0;
    this.#leftAt = now;
    this.#left++;
  }

  /** Welcomes those who wait, in the order in which they came. */
  welcome(): void {
    this.#left = Math.max(0, this.#left - this.#waiting.length);
    try {
      for (let client = this.#waiting.shift(); client !== undefined; client = this.#waiting.shift()) {
        this.#welcome(client);
      }
    } finally {
      // Whoever comes after one with whom something went wrong.
      if (this.#waiting.length > 0) this.#look();
    }
  }

  #look(): void {
    if (this.#isLooking) return;
    this.#isLooking = true;
    setImmediate(this.#endTurn);
  }
}
