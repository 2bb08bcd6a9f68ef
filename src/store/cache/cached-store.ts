/**
 * A cache around a store: fresh answers are served from memory, equal look-ups in flight are coalesced (single flight),
 * and look-ups of unknown names are limited, so that known mailboxes do not queue behind an attack. Failures are not
 * cached.
 */
import { decide } from "../../engine/verdict.ts";
import { Deadlines } from "../kit/deadlines.ts";
import { Semaphore } from "../kit/semaphore.ts";
import { Lookup } from "../lookup.ts";
import {
  type Log,
  type LookupOptions,
  type MailboxFacts,
  type MailboxId,
  type MailboxStore,
  type StoreCapabilities,
  StoreError,
} from "../store.ts";
import { AnswerCache, type CachedAnswer, type CacheSettings, cacheKey, isFresh } from "./answer-cache.ts";
import { StaleAnswers } from "./stale-answers.ts";

export interface CacheContext {
  /** Milliseconds for a whole look-up, equal to that of GuardedStore. */
  readonly timeout: number;
  readonly log: Log;
}

/** Counted since the last reload. */
export interface CacheCounts {
  readonly hits: number;
  readonly misses: number;
  /** Expired answers served because the store failed or was slow. */
  readonly stale: number;
  /** Look-ups that were coalesced with an equal one in flight. */
  readonly coalesced: number;
  readonly entries: number;
}

/**
 * Maximum number of concurrent look-ups of names that are not cached as existing. The others queue here and not in the
 * store, where refreshes of known mailboxes would queue behind the names of an attack.
 */
const UNKNOWN_KEYS_MAX = 64;
/** Lower bound where the store serves fewer, so that the circuit breaker sees enough parallel failures to open. */
const UNKNOWN_KEYS_MIN = 8;

export class CachedStore implements MailboxStore {
  readonly name: string;
  readonly capabilities: StoreCapabilities;
  readonly #store: MailboxStore;
  readonly #timeout: number;
  readonly #deadlines: Deadlines;
  readonly #answers: AnswerCache;
  readonly #staleAnswers: StaleAnswers;
  /** Single flight: the pending look-up of each key, shared by equal look-ups. */
  readonly #inFlight = new Map<string, Promise<MailboxFacts>>();
  readonly #unknownKeys: Semaphore;
  /** Incremented by each purge; an answer to a look-up of an earlier generation is not cached. */
  #generation = 0;
  #hits = 0;
  #misses = 0;
  #coalesced = 0;

  constructor(store: MailboxStore, settings: CacheSettings, { timeout, log }: CacheContext) {
    this.name = store.name;
    this.capabilities = store.capabilities;
    this.#store = store;
    this.#timeout = timeout;
    this.#deadlines = new Deadlines(timeout);
    this.#answers = new AnswerCache(settings);
    this.#staleAnswers = new StaleAnswers({ name: store.name, staleTtl: settings.staleTtl, timeout, log });
    const concurrency = Math.min(store.capabilities.concurrency ?? UNKNOWN_KEYS_MAX, UNKNOWN_KEYS_MAX);
    this.#unknownKeys = new Semaphore(Math.max(concurrency, UNKNOWN_KEYS_MIN));
  }

  get counts(): CacheCounts {
    return {
      hits: this.#hits,
      misses: this.#misses,
      stale: this.#staleAnswers.served,
      coalesced: this.#coalesced,
      entries: this.#answers.size,
    };
  }

  lookup(mailbox: MailboxId): MailboxFacts | Promise<MailboxFacts> {
    const key = cacheKey(mailbox);
    const cached = this.#answers.get(key);
    if (cached !== undefined && isFresh(cached)) {
      this.#hits++;
      return cached.facts;
    }
    const inFlight = this.#inFlight.get(key);
    if (inFlight !== undefined) {
      this.#coalesced++;
      return this.#withDeadline(this.#coalesce(key, mailbox, inFlight), () => {});
    }
    this.#misses++;
    return this.#refresh(key, mailbox, cached);
  }

  ping(options: LookupOptions): Promise<void> {
    return this.#store.ping(options);
  }

  close(): Promise<void> {
    return this.#store.close();
  }

  /** Removes all answers, or those for one mailbox; without a detail, those for its folders as well. */
  purge(mailbox?: MailboxId): void {
    this.#generation++;
    this.#inFlight.clear();
    this.#answers.purge(mailbox);
  }

  /**
   * Waits for an equal look-up that began before this one. Its answer may predate this request and would then refuse
   * mail to a mailbox that was created in between, so a refusal that may not be cached is looked up again. A look-up
   * that is in flight at that time began after this request and is shared.
   */
  async #coalesce(key: string, mailbox: MailboxId, inFlight: Promise<MailboxFacts>): Promise<MailboxFacts> {
    const facts = await inFlight;
    const cached = this.#answers.get(key);
    const isCached = cached?.facts === facts && isFresh(cached);
    if (isCached || decide(mailbox, facts) === "accept") return facts;
    return this.#inFlight.get(key) ?? this.#refresh(key, mailbox, cached);
  }

  /** Applies one deadline to all stages of a look-up. */
  #withDeadline(answer: Promise<MailboxFacts>, cancel: () => void): Promise<MailboxFacts> {
    return new Promise((resolve, reject) => {
      const deadline = this.#deadlines.add(() => {
        cancel();
        reject(new StoreError("timeout", `${this.name}: no answer within ${this.#timeout} ms`));
      });
      answer.then(resolve, reject).finally(() => this.#deadlines.remove(deadline));
    });
  }

  /**
   * Queries the store: immediately for a mailbox that is known to exist, otherwise within the limit for unknown names.
   */
  #refresh(key: string, mailbox: MailboxId, cached: CachedAnswer | undefined): MailboxFacts | Promise<MailboxFacts> {
    if (cached?.facts.exists === true) return this.#query(key, mailbox, cached);
    return this.#unknownKeys.isFree ? this.#queryUnknown(key, mailbox, cached) : this.#enqueueUnknown(key, mailbox);
  }

  #queryUnknown(
    key: string,
    mailbox: MailboxId,
    cached: CachedAnswer | undefined,
  ): MailboxFacts | Promise<MailboxFacts> {
    const answer = this.#query(key, mailbox, cached);
    if (answer instanceof Promise) {
      const release = () => this.#unknownKeys.release(1);
      this.#unknownKeys.acquire();
      answer.then(release, release);
    }
    return answer;
  }

  #enqueueUnknown(key: string, mailbox: MailboxId): Promise<MailboxFacts> {
    const waiter = { onSlot: () => {} };
    const answer = new Promise<MailboxFacts>((resolve) => {
      waiter.onSlot = () => resolve(this.#onSlot(key, mailbox));
    });
    this.#unknownKeys.enqueue(waiter);
    return this.#withDeadline(answer, () => this.#unknownKeys.cancel(waiter));
  }

  /** An equal look-up that began while this one was queued is recent enough to be shared. */
  async #onSlot(key: string, mailbox: MailboxId): Promise<MailboxFacts> {
    const cached = this.#answers.get(key);
    if (cached !== undefined && isFresh(cached)) return cached.facts;
    return this.#inFlight.get(key) ?? this.#queryUnknown(key, mailbox, cached);
  }

  #query(key: string, mailbox: MailboxId, cached: CachedAnswer | undefined): MailboxFacts | Promise<MailboxFacts> {
    try {
      // Not cancelled with the first client, because others may wait for the answer.
      const answer = this.#store.lookup(mailbox, new Lookup());
      if (!(answer instanceof Promise)) return this.#put(key, mailbox, answer);
      const generation = this.#generation;
      const renewal = this.#renew(key, mailbox, answer, cached);
      const shared = this.#staleAnswers.canServe(mailbox, cached)
        ? this.#staleAnswers.whileSlow(renewal, cached, () => generation === this.#generation)
        : renewal;
      this.#inFlight.set(key, shared);
      return shared;
    } catch (error) {
      return this.#staleAnswers.ifError(mailbox, cached, error);
    }
  }

  async #renew(
    key: string,
    mailbox: MailboxId,
    answer: Promise<MailboxFacts>,
    cached: CachedAnswer | undefined,
  ): Promise<MailboxFacts> {
    const generation = this.#generation;
    try {
      const facts = await answer;
      return generation === this.#generation ? this.#put(key, mailbox, facts) : facts;
    } catch (error) {
      return this.#staleAnswers.ifError(mailbox, generation === this.#generation ? cached : undefined, error);
    } finally {
      // Removed before the waiting look-ups continue, so that none of them shares a completed look-up.
      if (generation === this.#generation) this.#inFlight.delete(key);
    }
  }

  #put(key: string, mailbox: MailboxId, facts: MailboxFacts): MailboxFacts {
    this.#staleAnswers.onAnswer();
    this.#answers.put(key, mailbox, facts);
    return facts;
  }
}
