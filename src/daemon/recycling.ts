/** When a process is replaced by a fresh one: options -U and -T (Cyrus master/service.c). */

export interface RecycleLimits {
  /** Connections that it accepts (-U); null: any number. */
  readonly uses: number | null;
  /** Seconds that it waits for a new connection while none is open (-T); 0 and null: for ever. */
  readonly timeout: number | null;
  /** Called once, with the reason, when a limit is reached. */
  readonly onLimit: (reason: string) => void;
}

export class RecyclePolicy {
  readonly #uses: number;
  /** Milliseconds. */
  readonly #timeout: number;
  readonly #onLimit: (reason: string) => void;
  #count = 0;
  #idleTimer: NodeJS.Timeout | undefined;
  #isReached = false;

  /** @param random from 0 up to, but not including, 1: spreads the exits of processes that were started together */
  constructor({ uses, timeout, onLimit }: RecycleLimits, random: () => number = Math.random) {
    // As in the original, a process that is started for no connection accepts one.
    this.#uses = uses === null ? Number.POSITIVE_INFINITY : Math.max(1, uses);
    const seconds = timeout ?? 0;
    this.#timeout = (seconds + Math.floor(random() * seconds)) * 1000;
    this.#onLimit = onLimit;
  }

  /** A connection was accepted. */
  opened(): void {
    clearTimeout(this.#idleTimer);
    this.#count++;
    if (this.#count >= this.#uses) this.#reach(`used for ${this.#count} connections`);
  }

  /** The last open connection was closed. The idle time starts here, not before the first connection. */
  idle(): void {
    if (this.#timeout === 0 || this.#isReached) return;
    const expire = () => this.#reach(`no connection for ${this.#timeout / 1000} s`);
    this.#idleTimer = setTimeout(expire, this.#timeout).unref();
  }

  #reach(reason: string): void {
    if (this.#isReached) return;
    this.#isReached = true;
    this.#onLimit(reason);
  }
}
