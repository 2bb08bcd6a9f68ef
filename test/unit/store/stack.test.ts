/** Leaves of a stack: what belongs to one of them alone. */
import { describe, expect, it } from "vitest";
import { silentLog } from "../../../src/conformance/index.ts";
import { StoreMetrics } from "../../../src/metrics/store-metrics.ts";
import { Lookup } from "../../../src/store/lookup.ts";
import { buildLeaf, buildStack, type Leaf, type LeafSettings } from "../../../src/store/stack.ts";
import type {
  LookupOptions,
  MailboxFacts,
  MailboxId,
  MailboxStore,
  StoreCapabilities,
} from "../../../src/store/store.ts";

const present: MailboxFacts = { exists: true, rights: null, quotas: [] };
const settings: LeafSettings = {
  timeout: 50,
  breaker: { failures: 3, reset: 60_000 },
  cache: { size: 10, ttl: 60_000, quotaTtl: 60_000, negativeTtl: 0, staleTtl: 0 },
  detailFallback: { ignoresCase: false, fallsBack: false },
};

class Backend implements MailboxStore {
  readonly name: string;
  readonly capabilities: StoreCapabilities = { folders: true, shared: true, quota: [] };
  readonly signals: AbortSignal[] = [];
  isDead = false;
  isHung = false;
  isClosed = false;
  asked = 0;

  constructor(name: string) {
    this.name = name;
  }

  async lookup(_mailbox: MailboxId, options: LookupOptions): Promise<MailboxFacts> {
    this.asked++;
    this.signals.push(options.signal);
    if (this.isDead) throw new Error("dead");
    return this.isHung ? new Promise(() => {}) : present;
  }

  async ping(): Promise<void> {}

  async close(): Promise<void> {
    this.isClosed = true;
  }
}

/** A store made of two leaves, each responsible for a domain of its own name. */
class ByDomain implements MailboxStore {
  readonly name = "by domain";
  readonly capabilities: StoreCapabilities = { folders: true, shared: true, quota: [] };
  readonly #leaves: readonly Leaf[];

  constructor(leaves: readonly Leaf[]) {
    this.#leaves = leaves;
  }

  lookup(mailbox: MailboxId, options: LookupOptions): MailboxFacts | Promise<MailboxFacts> {
    const leaf = this.#leaves.find(({ name }) => name === mailbox.domain);
    return leaf === undefined ? { exists: false } : leaf.store.lookup(mailbox, options);
  }

  async ping(): Promise<void> {}

  async close(): Promise<void> {}
}

function at(domain: string, user: string): MailboxId {
  return { kind: "user", user, domain, folders: [], address: `${user}@${domain}`, detail: null };
}

async function twoLeaves(changes: Partial<LeafSettings> = {}) {
  const backends = { old: new Backend("old"), new: new Backend("new") };
  const events = { old: new StoreMetrics(), new: new StoreMetrics() };
  const build = (name: "old" | "new") =>
    buildLeaf(backends[name], { ...settings, ...changes }, { log: silentLog, events: events[name] });
  const leaves = [await build("old"), await build("new")] as const;
  const stack = buildStack(leaves, new ByDomain(leaves));
  const lookup = async (domain: string, user: string) => stack.store.lookup(at(domain, user), new Lookup());
  return { backends, events, leaves, stack, lookup };
}

describe("a stack of two leaves", () => {
  it("keeps the circuit breaker of one leaf closed while that of the other is open", async () => {
    const { backends, events, leaves, lookup } = await twoLeaves();
    backends.old.isDead = true;
    for (let i = 0; i < 5; i++) await expect(lookup("old", `user${i}`)).rejects.toMatchObject({ name: "StoreError" });
    backends.old.isHung = true;
    backends.old.isDead = false;
    for (let i = 5; i < 8; i++) await expect(lookup("old", `user${i}`)).rejects.toMatchObject({ code: "timeout" });
    await expect(lookup("old", "user9")).rejects.toMatchObject({ code: "unavailable" });
    expect(leaves.map(({ guard }) => guard.isBreakerOpen)).toEqual([true, false]);
    expect(await lookup("new", "fred")).toEqual(present);
    expect(events.old.shortCircuits).toBe(1);
    expect(events.new.shortCircuits).toBe(0);
    expect(events.new.errors.timeout).toBe(0);
  });

  it("counts look-ups and cache hits by leaf", async () => {
    const { backends, leaves, lookup } = await twoLeaves();
    for (let i = 0; i < 3; i++) await lookup("new", "fred");
    await lookup("old", "fred");
    expect([backends.old.asked, backends.new.asked]).toEqual([1, 1]);
    expect(leaves.map(({ cache }) => cache?.counts.hits)).toEqual([0, 2]);
    leaves[1].cache?.purge();
    await lookup("new", "fred");
    expect(backends.new.asked).toBe(2);
  });

  it("cancels the look-up of a leaf at its deadline and not the request, which may ask another leaf", async () => {
    const { backends, leaves } = await twoLeaves({ cache: { ...settings.cache, size: 0 } });
    backends.old.isHung = true;
    const request = new Lookup();
    await expect(leaves[0].store.lookup(at("old", "fred"), request)).rejects.toMatchObject({ code: "timeout" });
    expect(backends.old.signals[0]?.aborted).toBe(true);
    expect(request.signal.aborted).toBe(false);
    expect(await leaves[1].store.lookup(at("new", "fred"), request)).toEqual(present);
    request.abort("the client is gone");
    expect(backends.new.signals[0]?.reason).toBe("the client is gone");
  });

  it("closes every leaf", async () => {
    const { backends, stack, lookup } = await twoLeaves();
    await lookup("old", "fred");
    await stack.retire();
    expect([backends.old.isClosed, backends.new.isClosed]).toEqual([true, true]);
    await expect(lookup("new", "wilma")).rejects.toMatchObject({ code: "closed" });
  });
});
