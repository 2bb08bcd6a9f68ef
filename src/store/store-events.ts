/** What the guard tells of its work, to whoever counts it. On the path of every look-up, so nothing slow may follow. */
import type { StoreErrorCode } from "./store.ts";

export interface StoreEvents {
  /** @param milliseconds that the store took to answer; null: it answered at once, which is not worth a clock */
  answered(milliseconds: number | null): void;
  /** It could not tell, or not in time. */
  failed(code: StoreErrorCode): void;
  /** It was not asked, because the breaker is open. */
  spared(): void;
}
