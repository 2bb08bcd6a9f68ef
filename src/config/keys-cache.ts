import type { KeyDefinition } from "../store/store.ts";

/** The caches, and the reply if a look-up fails. */
export const cacheKeys: readonly KeyDefinition[] = [
  {
    name: "smmap_cache_size",
    type: "integer",
    default: "10000",
    text: "Number of mailboxes in the cache, and the same number of absences in addition, so that neither evicts the other. 0: no cache. For stores behind a network only; for sqlite see smmap_cache_verdicts.",
  },
  {
    name: "smmap_cache_verdicts",
    type: "integer",
    default: "100000",
    text: "For stores that can detect changes of their data (sqlite): number of accepted requests in the cache. Each write to the database empties this cache, so it is never outdated; refusals are not cached. Up to twice as many are kept, at some 150 octets each; the cache is disabled while it saves less than a fifth of the look-ups. 0: none.",
  },
  {
    name: "smmap_cache_ttl",
    type: "duration",
    default: "60s",
    text: "How long a mailbox without a quota limit is cached.",
  },
  {
    name: "smmap_cache_quota_ttl",
    type: "duration",
    default: "15s",
    text: "How long a mailbox within its quota limits is cached. Usage changes more often than existence.",
  },
  {
    name: "smmap_cache_negative_ttl",
    type: "duration",
    default: "0",
    text: "How long an answer that refuses mail is cached: no such mailbox, over quota, no right to post. By default such answers are not cached, so that a new mailbox is found at once, and no mail bounces because of an outdated answer.",
  },
  {
    name: "smmap_cache_stale_ttl",
    type: "duration",
    default: "0",
    text: "How long after its expiry an accepting answer may be served stale while the store fails, or after a look-up has waited for a quarter of smmap_query_timeout. An answer that refuses mail is never served stale.",
  },
  {
    name: "smmap_on_failure",
    type: "choice",
    default: "temp",
    values: ["temp", "ok"],
    text: "The reply if a look-up fails and the cache has no answer: temp defers the mail, ok accepts it. With ok, mail for unknown and full mailboxes is accepted too, and bounces later.",
  },
];
