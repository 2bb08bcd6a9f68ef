/**
 * What the process has done so far, in plain numbers. It is always kept, so it costs each request little more than two
 * looks at the clock; whoever wants to know reads it, and nothing is sent anywhere. It outlives reloads.
 */
import { type StoreErrorCode, storeErrorCodes } from "../store/store.ts";
import type { StoreEvents } from "../store/store-events.ts";
import { Histogram } from "./histogram.ts";
import { Rate } from "./rate.ts";
import { Complaints } from "./recent-problems.ts";
import { type Reason, ReplyCounts } from "./reply-counts.ts";
import { Slowest } from "./slowest.ts";

/** A request as it is counted. */
export interface CountedRequest {
  readonly map: string;
  /** As received: a byte string. */
  readonly key: string;
}

export class Tally implements StoreEvents {
  readonly replies = new ReplyCounts();
  /** From the request, read whole, to its reply. */
  readonly requestTimes = new Histogram();
  readonly requestRate = new Rate(performance.now());
  /** Requests for which the store could not tell, or not in time. */
  readonly failureRate = new Rate(performance.now());
  readonly slowest = new Slowest();
  /** Requests that wait for the store now. */
  inFlight = 0;
  /** Of look-ups that the store answered. */
  readonly storeTimes = new Histogram();
  readonly storeErrors = zeros(storeErrorCodes);
  /** Look-ups not made, because the breaker was open. */
  sparedLookups = 0;
  readonly reloads = { succeeded: 0, failed: 0 };
  /** Milliseconds since 1970; null: there was none. */
  lastReloadAt: number | null = null;
  readonly complaints = new Complaints();
  /** Look-ups answered at once, for a request that is about to be answered: its time is as good as theirs. */
  #answeredAtOnce = 0;

  /** A request was answered. @param since when it was read whole, on the clock of performance.now() */
  replied({ map, key }: CountedRequest, since: number, status: string, reason: Reason): void {
    const now = performance.now();
    const milliseconds = now - since;
    this.replies.count(map, status, reason);
    for (; this.#answeredAtOnce > 0; this.#answeredAtOnce--) this.storeTimes.observe(milliseconds);
    this.requestTimes.observe(milliseconds);
    this.requestRate.count(now);
    if (reason === "failed" || reason === "timeout") this.failureRate.count(now);
    if (this.slowest.concerns(milliseconds, now)) this.slowest.tell({ key, map, reason, milliseconds, at: now });
  }

  answered(milliseconds: number | null): void {
    if (milliseconds === null) this.#answeredAtOnce++;
    else this.storeTimes.observe(milliseconds);
  }

  failed(code: StoreErrorCode): void {
    this.storeErrors[code]++;
  }

  spared(): void {
    this.sparedLookups++;
  }

  reloaded(outcome: "succeeded" | "failed"): void {
    this.reloads[outcome]++;
    this.lastReloadAt = Date.now();
  }
}

function zeros<Name extends string>(names: readonly Name[]): Record<Name, number> {
  return Object.fromEntries(names.map((name) => [name, 0])) as Record<Name, number>;
}
