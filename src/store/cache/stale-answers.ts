/**
 * Serve-stale (smmap_cache_stale_ttl): serves an expired answer if the look-up fails (stale-if-error, RFC 5861) or is
 * slow (RFC 8767 section 5). Only answers that accept mail are served stale, never a refusal.
 */
import { decide } from "../../engine/verdict.ts";
import { Deadlines } from "../kit/deadlines.ts";
import { ThrottledLog } from "../kit/throttled-log.ts";
import { type Log, type MailboxFacts, type MailboxId, StoreError } from "../store.ts";
import type { CachedAnswer } from "./answer-cache.ts";

export interface StaleOptions {
  /** Name of the store, for the log. */
  readonly name: string;
  /** Milliseconds after its TTL in which an answer may be served. */
  readonly staleTtl: number;
  /** Milliseconds for a whole look-up. */
  readonly timeout: number;
  readonly log: Log;
}

/**
 * Fraction of the deadline after which a stale answer is served; Exim's timeout of 5 s is hardly longer than the
 * deadline.
 */
const SLOW_SHARE = 0.25;
/** Milliseconds between two log lines. */
const LOG_INTERVAL = 10_000;

export class StaleAnswers {
  readonly #options: StaleOptions;
  readonly #slow: Deadlines;
  #served = 0;
  readonly #log: ThrottledLog;
  /** Time of the last stale reply to a slow look-up since the store last answered. */
  #staleSince = Number.NEGATIVE_INFINITY;

  constructor(options: StaleOptions) {
    this.#options = options;
    this.#slow = new Deadlines(options.timeout * SLOW_SHARE);
    this.#log = new ThrottledLog(options.log, { interval: LOG_INTERVAL });
  }

  /** Stale answers served so far. */
  get served(): number {
    return this.#served;
  }

  /** Called when the store has answered: the next slow look-up waits again before a stale answer is served. */
  onAnswer(): void {
    this.#staleSince = Number.NEGATIVE_INFINITY;
  }

  /** Whether an answer accepts mail and is within staleTtl. */
  canServe(mailbox: MailboxId, answer: CachedAnswer | undefined): answer is CachedAnswer {
    const isRecent = answer !== undefined && performance.now() < answer.expiresAt + this.#options.staleTtl;
    return isRecent && decide(mailbox, answer.facts) === "accept";
  }

  /** The stale answer instead of an error. @throws the error if none can be served */
  ifError(mailbox: MailboxId, answer: CachedAnswer | undefined, error: unknown): MailboxFacts {
    const isClosed = error instanceof StoreError && error.code === "closed";
    if (isClosed || !this.canServe(mailbox, answer)) throw error;
    return this.#serve(answer, "the store fails");
  }

  /**
   * The renewed answer, or the stale one after SLOW_SHARE of the deadline, or immediately if another look-up was slow
   * recently. The renewal continues, so that its answer is cached.
   * @param isCurrent false: the cache was purged meanwhile, so the stale answer may no longer be served
   */
  whileSlow(renewal: Promise<MailboxFacts>, answer: CachedAnswer, isCurrent: () => boolean): Promise<MailboxFacts> {
    const reason = "the store is slow";
    if (performance.now() - this.#staleSince < this.#options.timeout) {
      // GuardedStore logs the failure.
      renewal.catch(() => {});
      return Promise.resolve(this.#serve(answer, reason));
    }
    return new Promise((resolve, reject) => {
      const deadline = this.#slow.add(() => {
        if (!isCurrent()) return;
        this.#staleSince = performance.now();
        resolve(this.#serve(answer, reason));
      });
      renewal.then(resolve, reject).finally(() => this.#slow.remove(deadline));
    });
  }

  #serve({ facts, expiresAt }: CachedAnswer, reason: string): MailboxFacts {
    this.#served++;
    const age = Math.ceil((performance.now() - expiresAt) / 1000);
    this.#log.warn(this.#options.name, `${reason}, serving an answer that expired ${age} s ago`);
    return facts;
  }
}
