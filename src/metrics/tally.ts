/**
 * Counters of the process since its start, across reloads. They are always kept, and cost a request little more than two
 * clock readings.
 */
import { Histogram } from "./histogram.ts";
import { Rate } from "./rate.ts";
import { RecentProblems } from "./recent-problems.ts";
import { type Reason, ReplyCounts } from "./reply-counts.ts";
import { Slowest } from "./slowest.ts";
import { StoreMetrics } from "./store-metrics.ts";

/** A request as it is counted. */
export interface CountedRequest {
  readonly map: string;
  /** As received: a byte string. */
  readonly key: string;
}

export class Tally {
  readonly replies = new ReplyCounts();
  /** From the request, read whole, to its reply. */
  readonly requestTimes = new Histogram();
  readonly requestRate = new Rate(performance.now());
  /** Requests that the store failed to answer in time. */
  readonly failureRate = new Rate(performance.now());
  readonly slowest = new Slowest();
  /** Requests waiting for the store now. */
  inFlight = 0;
  /** By the name of the store. */
  readonly #stores = new Map<string, StoreMetrics>();
  readonly reloads = { succeeded: 0, failed: 0 };
  /** Milliseconds since 1970; null: there was none. */
  lastReloadAt: number | null = null;
  readonly recentProblems = new RecentProblems();

  /** Counters of one store, created on first use. */
  store(name: string): StoreMetrics {
    const metrics = this.#stores.get(name) ?? new StoreMetrics();
    this.#stores.set(name, metrics);
    return metrics;
  }

  /** A request was answered. @param since when it was read whole, on the clock of performance.now() */
  replied({ map, key }: CountedRequest, since: number, status: string, reason: Reason): void {
    const now = performance.now();
    const milliseconds = now - since;
    this.replies.count(map, status, reason);
    for (const store of this.#stores.values()) store.onReply(milliseconds);
    this.requestTimes.observe(milliseconds);
    this.requestRate.count(now);
    if (reason === "failed" || reason === "timeout") this.failureRate.count(now);
    if (this.slowest.qualifies(milliseconds, now)) this.slowest.add({ key, map, reason, milliseconds, at: now });
  }

  reloaded(outcome: "succeeded" | "failed"): void {
    this.reloads[outcome]++;
    this.lastReloadAt = Date.now();
  }
}
