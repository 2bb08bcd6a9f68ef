/** Counters of one store's look-ups since the start of the process, across reloads. */
import { type StoreErrorCode, storeErrorCodes } from "../store/store.ts";
import type { StoreEvents } from "../store/store-events.ts";
import { Histogram } from "./histogram.ts";

export class StoreMetrics implements StoreEvents {
  /** Durations of the look-ups that the store answered. */
  readonly times = new Histogram();
  readonly errors = Object.fromEntries(storeErrorCodes.map((code) => [code, 0])) as Record<StoreErrorCode, number>;
  /** Look-ups not made, because the circuit breaker was open. */
  shortCircuits = 0;
  /** Look-ups answered synchronously for the current request; its duration is recorded for them. */
  #answeredAtOnce = 0;

  answered(milliseconds: number | null): void {
    if (milliseconds === null) this.#answeredAtOnce++;
    else this.times.observe(milliseconds);
  }

  failed(code: StoreErrorCode): void {
    this.errors[code]++;
  }

  shortCircuited(): void {
    this.shortCircuits++;
  }

  /** A request was answered. @param milliseconds from the request, read whole, to its reply */
  onReply(milliseconds: number): void {
    for (; this.#answeredAtOnce > 0; this.#answeredAtOnce--) this.times.observe(milliseconds);
  }
}
