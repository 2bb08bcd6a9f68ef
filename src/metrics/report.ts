/** Report and status of a process, as plain values that are sent as JSON. */
import type { CacheCounts } from "../store/cache/cached-store.ts";
import type { StoreErrorCode } from "../store/store.ts";
import type { HistogramCounts } from "./histogram.ts";
import type { RecentProblem } from "./recent-problems.ts";
import type { Reason, ReplyCount } from "./reply-counts.ts";

/** The numbers. What counts up does so from the start of the process. */
export interface Report {
  readonly version: string;
  /** Version of Node.js. */
  readonly node: string;
  /** Name of the service in cyrus.conf, or smmap. */
  readonly service: string;
  readonly pid: number;
  /** Which of several processes it is for the first of them, which is 0. */
  readonly slot: number;
  /** Seconds since it started. */
  readonly uptime: number;
  /** Octets in memory; null: the system does not tell, such as Linux without /proc. */
  readonly memory: number | null;
  /** Seconds of a processor. */
  readonly cpu: number;
  /** Where it listens: PATH or HOST:PORT. */
  readonly addresses: readonly string[];
  readonly requests: RequestReport;
  readonly connections: ConnectionReport;
  readonly reloads: ReloadReport;
  /** Empty: they are not open yet. */
  readonly stores: readonly StoreReport[];
}

export interface RequestReport {
  /** Waiting for the store now. */
  readonly inFlight: number;
  /** In the last minute. */
  readonly perSecond: number;
  /** Those for which the store could not tell, in the last minute. */
  readonly failuresPerSecond: number;
  /** From a request, read whole, to its reply. */
  readonly times: HistogramCounts;
  readonly replies: readonly ReplyCount[];
}

export interface ConnectionReport {
  /** Served now. */
  readonly open: number;
  /** Accepted, but it is not their turn yet. */
  readonly waiting: number;
  /** So far. */
  readonly accepted: number;
  /** Told to try again later, because too many were waiting, or for too long. */
  readonly refused: number;
  /** Closed, because they took too long to send a request or to read replies. */
  readonly dropped: number;
}

export interface ReloadReport {
  readonly succeeded: number;
  readonly failed: number;
  /** Milliseconds since 1970; null: there was none. */
  readonly lastAt: number | null;
}

export interface StoreReport {
  readonly name: string;
  /** Why it was chosen. */
  readonly reason: string;
  /** Look-ups fail at once for a while, because too many failed. */
  readonly isBreakerOpen: boolean;
  /** Of look-ups that it answered. */
  readonly times: HistogramCounts;
  readonly errors: Readonly<Record<StoreErrorCode, number>>;
  /** Look-ups not made, because the circuit breaker was open. */
  readonly shortCircuited: number;
  /** Counted since the last reload; null: answers are not cached. */
  readonly cache: CacheCounts | null;
}

/** What a person wants to know besides. Some of its texts come from outside. */
export interface Status extends Report {
  /** Why the store does not answer now; null: it does. */
  readonly problem: string | null;
  readonly slowest: readonly SlowReport[];
  /** The last errors and warnings of the log, newest first. */
  readonly recentProblems: readonly RecentProblem[];
}

export interface SlowReport {
  readonly address: string;
  readonly map: string;
  readonly reason: Reason;
  readonly milliseconds: number;
  /** Milliseconds since 1970. */
  readonly at: number;
}
