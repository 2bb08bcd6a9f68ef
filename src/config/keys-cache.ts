import type { KeyDefinition } from "../store/store.ts";

/** What is remembered of a store's answers, and what is said where it has none. */
export const cacheKeys: readonly KeyDefinition[] = [
  {
    name: "smmap_cache_size",
    type: "integer",
    default: "10000",
    text: "How many mailboxes are remembered, and as many absences besides, so that neither pushes the other out. 0 is no cache. Stores behind a network only; for sqlite see smmap_cache_verdicts.",
  },
  {
    name: "smmap_cache_verdicts",
    type: "integer",
    default: "100000",
    text: "For stores that can tell when their data changes (sqlite): how many requests are remembered that were accepted. Each write to the database empties this memory, so it is never outdated; what refuses mail is not kept. Up to twice as many are kept, at some 150 octets each; it rests while it saves less than a fifth of the look-ups. 0 is none.",
  },
  {
    name: "smmap_cache_ttl",
    type: "duration",
    default: "60s",
    text: "How long a mailbox without a quota limit is remembered.",
  },
  {
    name: "smmap_cache_quota_ttl",
    type: "duration",
    default: "15s",
    text: "How long a mailbox within its quota limits is remembered: usage moves faster than existence.",
  },
  {
    name: "smmap_cache_negative_ttl",
    type: "duration",
    default: "0",
    text: "How long an answer that refuses mail is remembered: no such mailbox, over quota, no right to post. By default not at all, so that a mailbox made a moment ago is found, and no mail bounces for what was true before.",
  },
  {
    name: "smmap_cache_stale_ttl",
    type: "duration",
    default: "0",
    text: "How long beyond its time an answer that takes mail may still be given while the store fails, or once it has kept us waiting for a quarter of smmap_query_timeout. An answer that refuses mail is never given beyond its time.",
  },
  {
    name: "smmap_on_failure",
    type: "choice",
    default: "temp",
    values: ["temp", "ok"],
    text: "The reply where the store cannot tell and nothing is remembered: temp puts the mail off, ok takes it. With ok, mail for unknown and full mailboxes is taken too, and bounces later.",
  },
];
