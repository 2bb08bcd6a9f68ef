/** Report and status of a process: plain values, which are sent as JSON. */
import type { CacheCounts } from "../store/cache/cached-store.ts";
import type { StoreErrorCode } from "../store/store.ts";
import type { HistogramCounts } from "./histogram.ts";
import type { RecentProblem } from "./recent-problems.ts";
import type { Reason, ReplyCount } from "./reply-counts.ts";

/** Counters and gauges. Counters start with the process. */
export interface Report {
  readonly version: string;
  /** Version of Node.js. */
  readonly node: string;
  /** Name of the service in cyrus.conf, or smmap. */
  readonly service: string;
  readonly pid: number;
  /** Number of the process: 0 for the primary process, from 1 for its workers. */
  readonly slot: number;
  /** Seconds since the start. */
  readonly uptime: number;
  /** Resident memory in octets; null: not available, such as on Linux without /proc. */
  readonly memory: number | null;
  /** CPU time in seconds. */
  readonly cpu: number;
  /** Listening addresses: PATH or HOST:PORT. */
  readonly addresses: readonly string[];
  readonly requests: RequestReport;
  readonly connections: ConnectionReport;
  readonly reloads: ReloadReport;
  /** Empty: no store is open yet. */
  readonly stores: readonly StoreReport[];
}

export interface RequestReport {
  /** Waiting for the store now. */
  readonly inFlight: number;
  /** In the last minute. */
  readonly perSecond: number;
  /** Requests that the store failed to answer, in the last minute. */
  readonly failuresPerSecond: number;
  /** Durations from a request, read whole, to its reply. */
  readonly times: HistogramCounts;
  readonly replies: readonly ReplyCount[];
}

export interface ConnectionReport {
  /** Served now. */
  readonly open: number;
  /** Accepted, and waiting for admission. */
  readonly waiting: number;
  /** Since the start. */
  readonly accepted: number;
  /** Refused with a temporary failure, because the queue was full or the wait too long. */
  readonly refused: number;
  /** Closed, because the client took too long to send a request or to read replies. */
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
  /** Whether look-ups fail immediately, because too many have failed. */
  readonly isBreakerOpen: boolean;
  /** Durations of the look-ups that it answered. */
  readonly times: HistogramCounts;
  readonly errors: Readonly<Record<StoreErrorCode, number>>;
  /** Look-ups not made, because the circuit breaker was open. */
  readonly shortCircuited: number;
  /** Counted since the last reload; null: answers are not cached. */
  readonly cache: CacheCounts | null;
}

/** A report with details for people. Some of its texts come from outside. */
export interface Status extends Report {
  /** Why a store does not answer now; null: all do. */
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
