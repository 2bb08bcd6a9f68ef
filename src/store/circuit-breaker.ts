/** A circuit breaker: while it is open, a dead backend costs microseconds per look-up and not a deadline. */
export interface BreakerSettings {
  /** Failures in a row that open the breaker; 0 switches it off. */
  readonly failures: number;
  /** Milliseconds until one look-up may try again. */
  readonly reset: number;
}

/** Closed: look-ups pass. Open: none passes until the reset time is over; then one does, and its outcome decides. */
export class CircuitBreaker {
  readonly #settings: BreakerSettings;
  #failures = 0;
  #openUntil = 0;

  constructor(settings: BreakerSettings) {
    this.#settings = settings;
  }

  get isOpen(): boolean {
    return this.#settings.failures > 0 && this.#failures >= this.#settings.failures;
  }

  /** Whether a look-up may be made now. While open, one look-up per reset time is admitted as the trial. */
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
