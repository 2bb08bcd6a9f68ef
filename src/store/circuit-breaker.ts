/** When to stop asking a backend that fails, so that a dead one costs microseconds and not a deadline each. */
export interface BreakerSettings {
  /** Failures in a row that open the breaker; 0 switches it off. */
  readonly failures: number;
  /** Milliseconds until one look-up may try again. */
  readonly reset: number;
}

/** Closed: look-ups pass. Open: none does. After the reset time one passes, and its outcome decides. */
export class Breaker {
  readonly #settings: BreakerSettings;
  #failures = 0;
  #openUntil = 0;

  constructor(settings: BreakerSettings) {
    this.#settings = settings;
  }

  get isOpen(): boolean {
    return this.#settings.failures > 0 && this.#failures >= this.#settings.failures;
  }

  /** Whether a look-up may be made now. While open, the one that may is the trial; the next waits for its turn. */
  admits(): boolean {
    if (!this.isOpen) return true;
    const now = performance.now();
    if (now < this.#openUntil) return false;
    this.#openUntil = now + this.#settings.reset;
    return true;
  }

  succeeded(): void {
    this.#failures = 0;
  }

  failed(): void {
    this.#failures++;
    if (this.isOpen) this.#openUntil = performance.now() + this.#settings.reset;
  }
}
