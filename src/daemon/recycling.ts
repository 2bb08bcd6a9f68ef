/** How often a process is used before a fresh one takes its place: options -U and -T (Cyrus master/service.c). */

export interface UsesOptions {
  /** Connections that it takes (-U); null: any number. */
  readonly uses: number | null;
  /** Seconds that it waits for a new connection while none is open (-T); 0 and null: for ever. */
  readonly timeout: number | null;
  /** Called once, with the reason, when it has been used enough. */
  readonly onEnough: (reason: string) => void;
}

export class Uses {
  readonly #uses: number;
  /** Milliseconds. */
  readonly #timeout: number;
  readonly #onEnough: (reason: string) => void;
  #count = 0;
  #waiting: NodeJS.Timeout | undefined;
  #isEnough = false;

  /** @param random from 0 up to, but not including, 1; so that processes that began together do not end together */
  constructor({ uses, timeout, onEnough }: UsesOptions, random: () => number = Math.random) {
    // As the original: whoever is started for no connection takes one.
    this.#uses = uses === null ? Number.POSITIVE_INFINITY : Math.max(1, uses);
    const seconds = timeout ?? 0;
    this.#timeout = (seconds + Math.floor(random() * seconds)) * 1000;
    this.#onEnough = onEnough;
  }

  /** A connection was accepted. */
  opened(): void {
    clearTimeout(this.#waiting);
    this.#count++;
    if (this.#count >= this.#uses) this.#end(`used for ${this.#count} connections`);
  }

  /** The last open connection is gone; before the first one, time does not count. */
  emptied(): void {
    if (this.#timeout === 0 || this.#isEnough) return;
    const end = () => this.#end(`no connection for ${this.#timeout / 1000} s`);
    this.#waiting = setTimeout(end, this.#timeout).unref();
  }

  #end(reason: string): void {
    if (this.#isEnough) return;
    this.#isEnough = true;
    this.#onEnough(reason);
  }
}
