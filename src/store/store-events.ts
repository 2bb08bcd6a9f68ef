/** What the guard reports of a store's look-ups. Called for every look-up, so it must be cheap. */
import type { StoreErrorCode } from "./store.ts";

export interface StoreEvents {
  /** @param milliseconds that the store took to answer; null: it answered at once, which is not worth a clock reading */
  answered(milliseconds: number | null): void;
  /** The look-up failed. */
  failed(code: StoreErrorCode): void;
  /** The look-up was not made, because the circuit breaker is open. */
  shortCircuited(): void;
}
