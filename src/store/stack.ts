/**
 * What stands between the daemon and an adapter, built in one place. A leaf is one adapter's store with everything of its
 * own around it: cache(guard(detail fallback(adapter))). Its deadline, circuit breaker, cache and counters are shared with
 * no other leaf, so that one dead backend does not take the others with it. A store made of stores takes and returns the
 * same interface as a leaf, MailboxStore.
 */
import type { CacheSettings } from "./cache/answer-cache.ts";
import type { CachedStore } from "./cache/cached-store.ts";
import type { BreakerSettings } from "./circuit-breaker.ts";
import { type DetailFallback, DetailFallbackStore } from "./detail-fallback.ts";
import { GuardedStore } from "./guarded.ts";
import type { Log, MailboxStore } from "./store.ts";
import type { StoreEvents } from "./store-events.ts";

export interface LeafSettings {
  /** Milliseconds for a whole look-up. */
  readonly timeout: number;
  readonly breaker: BreakerSettings;
  readonly cache: CacheSettings;
  readonly detailFallback: DetailFallback;
}

export interface LeafContext {
  readonly log: Log;
  /** Receives what is counted of this leaf's look-ups. Left out: nothing is counted. */
  readonly events?: StoreEvents | undefined;
}

export interface Leaf {
  /** Name of the adapter's store; the label `store` of its metrics. */
  readonly name: string;
  /** The outermost layer, which is asked. */
  readonly store: MailboxStore;
  readonly guard: GuardedStore;
  /** null: answers are not cached. */
  readonly cache: CachedStore | null;
}

/** The leaves in use and the store on top of them. */
export interface StoreStack {
  /** What the daemon asks. */
  readonly store: MailboxStore;
  readonly leaves: readonly Leaf[];
  /** Lets the look-ups in flight finish, then closes every leaf. */
  retire(): Promise<void>;
  /** Ends the look-ups in flight with "closed" and closes every leaf. Idempotent. */
  close(): Promise<void>;
}

/** Wraps an adapter's open store. */
export async function buildLeaf(opened: MailboxStore, settings: LeafSettings, context: LeafContext): Promise<Leaf> {
  const { timeout, breaker, cache: cacheSettings, detailFallback } = settings;
  const { log, events } = context;
  const inner = withDetailFallback(opened, detailFallback, log);
  const guard = new GuardedStore(inner, { timeout, breaker, log, ...(events === undefined ? {} : { events }) });
  const isCached = cacheSettings.size > 0 && opened.capabilities.isLocal !== true;
  // Its library is loaded only where something is cached.
  const cache = isCached
    ? new (await import("./cache/cached-store.ts")).CachedStore(guard, cacheSettings, { timeout, log })
    : null;
  return { name: guard.name, store: cache ?? guard, guard, cache };
}

/** @param store what is asked: the only leaf, or a store made of the leaves */
export function buildStack(leaves: readonly Leaf[], store: MailboxStore): StoreStack {
  const each = async (end: (guard: GuardedStore) => Promise<void>) => {
    await Promise.all(leaves.map(({ guard }) => end(guard)));
  };
  return { store, leaves, retire: () => each((guard) => guard.retire()), close: () => each((guard) => guard.close()) };
}

function withDetailFallback(store: MailboxStore, fallback: DetailFallback, log: Log): MailboxStore {
  if (fallback.ignoresCase && store.similarFolders === undefined) {
    log.warning(`smmap_detail_ignore_case has no effect: the store ${store.name} cannot list folders`);
  }
  return fallback.ignoresCase || fallback.fallsBack ? new DetailFallbackStore(store, fallback) : store;
}
