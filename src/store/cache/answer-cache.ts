/**
 * Answers of a store by mailbox, each with a time to live. Positive and negative answers are kept apart and bounded
 * (LRU), so that an attack with unknown names evicts no mailbox that exists.
 */
import { LRUCache } from "lru-cache";
import { decide } from "../../engine/verdict.ts";
import type { MailboxFacts, MailboxId } from "../store.ts";

export interface CacheSettings {
  /** Maximum number of positive answers, and of negative answers. */
  readonly size: number;
  /** Milliseconds, for a mailbox without a quota limit. */
  readonly ttl: number;
  /** Milliseconds, for a mailbox within its limits: usage changes more often than existence. */
  readonly quotaTtl: number;
  /** Milliseconds, for every answer that refuses mail: absent, over quota, no right to post. */
  readonly negativeTtl: number;
  /** Milliseconds after its TTL in which a positive answer may be served stale; 0: not at all. */
  readonly staleTtl: number;
}

export interface CachedAnswer {
  readonly facts: MailboxFacts;
  /** On the clock of performance.now(). */
  readonly expiresAt: number;
}

export class AnswerCache {
  readonly #settings: CacheSettings;
  readonly #positive: LRUCache<string, CachedAnswer>;
  readonly #negative: LRUCache<string, CachedAnswer>;

  constructor(settings: CacheSettings) {
    this.#settings = settings;
    this.#positive = new LRUCache({ max: settings.size });
    this.#negative = new LRUCache({ max: settings.size });
  }

  get size(): number {
    return this.#positive.size + this.#negative.size;
  }

  /** The last answer, fresh or not. @param key from `cacheKey` */
  get(key: string): CachedAnswer | undefined {
    return this.#positive.get(key) ?? this.#negative.get(key);
  }

  /** Replaces the answer for a mailbox. A refusal with a TTL of 0 is not stored, but removes the previous answer. */
  put(key: string, mailbox: MailboxId, facts: MailboxFacts): void {
    const isRefusal = decide(mailbox, facts) !== "accept";
    const ttl = isRefusal ? this.#settings.negativeTtl : this.#positiveTtl(facts);
    const [home, other] = facts.exists ? [this.#positive, this.#negative] : [this.#negative, this.#positive];
    other.delete(key);
    if (ttl > 0 || !isRefusal) home.set(key, { facts, expiresAt: performance.now() + ttl });
    else home.delete(key);
  }

  /** Removes all answers, or those for one mailbox; without a detail, those for its folders as well. */
  purge(mailbox?: MailboxId): void {
    for (const cache of [this.#positive, this.#negative]) {
      if (mailbox === undefined) cache.clear();
      else for (const key of keysOf(mailbox, cache)) cache.delete(key);
    }
  }

  #positiveTtl(facts: MailboxFacts): number {
    const { ttl, quotaTtl } = this.#settings;
    return facts.exists && facts.quotas.length > 0 ? quotaTtl : ttl;
  }
}

export function isFresh(answer: CachedAnswer): boolean {
  return performance.now() < answer.expiresAt;
}

/** Everything that an answer depends on. The length distinguishes a "+" in a domain from the one before a detail. */
export function cacheKey({ address, detail }: MailboxId): string {
  const own = `${address.length}:${address}`;
  return detail === null ? own : `${own}+${detail}`;
}

/** Keys of a mailbox and of its folders, which may share its quota root. */
function keysOf(mailbox: MailboxId, cache: LRUCache<string, CachedAnswer>): readonly string[] {
  const own = cacheKey(mailbox);
  if (mailbox.detail !== null) return [own];
  return [own, ...[...cache.keys()].filter((key) => key.startsWith(`${own}+`))];
}
