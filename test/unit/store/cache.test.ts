import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { CacheSettings } from "../../../src/store/cache/answer-cache.ts";
import { CachedStore } from "../../../src/store/cache/cached-store.ts";
import { Lookup } from "../../../src/store/lookup.ts";
import {
  type Log,
  type MailboxFacts,
  type MailboxId,
  type MailboxStore,
  type StoreCapabilities,
  StoreError,
} from "../../../src/store/store.ts";

const settings: CacheSettings = { size: 3, ttl: 60_000, quotaTtl: 15_000, negativeTtl: 10_000, staleTtl: 0 };
const TIMEOUT = 4_000;
const present: MailboxFacts = { exists: true, rights: null, quotas: [] };
const limited: MailboxFacts = { ...present, quotas: [{ root: "r", resource: "STORAGE", used: 1, limit: 2 }] };
const full: MailboxFacts = { ...present, quotas: [{ root: "r", resource: "STORAGE", used: 3, limit: 2 }] };
const absent: MailboxFacts = { exists: false };

/** Answers as it is told to, and counts who was asked for. */
class Source implements MailboxStore {
  readonly name = "source";
  readonly capabilities: StoreCapabilities;
  readonly asked: string[] = [];
  answer: () => MailboxFacts | Promise<MailboxFacts> = () => present;
  readonly done: string[] = [];

  lookup(mailbox: MailboxId): MailboxFacts | Promise<MailboxFacts> {
    this.asked.push(mailbox.address);
    return this.answer();
  }

  constructor(concurrency?: number) {
    this.capabilities = {
      folders: true,
      shared: true,
      quota: [],
      ...(concurrency === undefined ? {} : { concurrency }),
    };
  }

  async ping(): Promise<void> {
    this.done.push("ping");
  }

  async close(): Promise<void> {
    this.done.push("close");
  }
}

function user(name: string, detail: string | null = null): MailboxId {
  return { kind: "user", user: name, domain: null, folders: detail === null ? [] : [detail], address: name, detail };
}

function cache(changes: Partial<CacheSettings> = {}, concurrency?: number) {
  const source = new Source(concurrency);
  const lines: string[] = [];
  const line = (message: string) => void lines.push(message);
  const log: Log = { error: line, warning: line, notice: line, info: line, debug: line };
  const context = { timeout: TIMEOUT, log };
  return { source, lines, cached: new CachedStore(source, { ...settings, ...changes }, context) };
}

it("has no data version, because its answers may be older than the store's", () => {
  expect(cache().cached).not.toHaveProperty("dataVersion");
});

beforeEach(() => void vi.useFakeTimers({ toFake: ["performance"] }));
afterEach(() => void vi.useRealTimers());

describe("an answer", () => {
  it.each([
    ["without a limit", present, 60_000],
    ["within a limit", limited, 15_000],
    ["over a limit", full, 10_000],
    ["that refuses posting", { ...present, rights: "l" }, 10_000],
    ["of absence", absent, 10_000],
  ])("%s is kept for its time", (_name, facts, time) => {
    const { cached, source } = cache();
    source.answer = () => facts;
    expect(cached.lookup(user("fred"))).toBe(facts);
    vi.advanceTimersByTime(time - 1);
    expect(cached.lookup(user("fred"))).toBe(facts);
    expect(source.asked).toHaveLength(1);
    vi.advanceTimersByTime(1);
    cached.lookup(user("fred"));
    expect(source.asked).toHaveLength(2);
    expect(cached.counts).toEqual({ hits: 1, misses: 2, stale: 0, coalesced: 0, entries: 1 });
  });

  it("belongs to one address and detail", () => {
    const { cached, source } = cache();
    for (const mailbox of [user("fred"), user("fred", "a"), user("fred", "b"), user("fred", "")])
      cached.lookup(mailbox);
    expect(source.asked).toHaveLength(4);
  });

  it("is not taken for that of another with a plus in its domain", () => {
    const { cached, source } = cache();
    cached.lookup({ ...user("fred"), address: "fred@dom.test+x" });
    cached.lookup({ ...user("fred", "x@dom.test"), address: "fred@dom.test", detail: "x" });
    expect(source.asked).toHaveLength(2);
  });

  it("of absence gives way to one of presence, and the reverse", () => {
    const { cached, source } = cache({ ttl: 10_000 });
    for (const facts of [absent, present, absent]) {
      source.answer = () => facts;
      expect(cached.lookup(user("fred"))).toBe(facts);
      vi.advanceTimersByTime(10_000);
    }
    expect(cached.counts.entries).toBe(1);
  });
});

describe("bounds", () => {
  it("refusals leave nothing behind where they are not remembered, nor what they refute", () => {
    const { cached, source } = cache({ negativeTtl: 0, staleTtl: 30_000 });
    for (const facts of [absent, full]) {
      source.answer = () => present;
      cached.lookup(user("fred"));
      expect(cached.counts.entries).toBe(1);
      vi.advanceTimersByTime(60_000);
      source.answer = () => facts;
      cached.lookup(user("fred"));
      for (let i = 0; i < 10; i++) cached.lookup(user(`nobody${i}`));
      expect(cached.counts.entries).toBe(0);
    }
  });

  it("absences push no mailbox out", () => {
    const { cached, source } = cache();
    cached.lookup(user("fred"));
    source.answer = () => absent;
    for (let i = 0; i < 100; i++) cached.lookup(user(`nobody${i}`));
    expect(cached.counts.entries).toBe(4);
    source.asked.length = 0;
    expect(cached.lookup(user("fred"))).toBe(present);
    expect(source.asked).toEqual([]);
  });

  it("of the mailboxes, the least recently used goes first", () => {
    const { cached, source } = cache();
    for (const name of ["a", "b", "c", "a", "d"]) cached.lookup(user(name));
    source.asked.length = 0;
    for (const name of ["a", "b"]) cached.lookup(user(name));
    expect(source.asked).toEqual(["b"]);
  });
});

describe("look-ups in flight", () => {
  it("for the same mailbox are one", async () => {
    const { cached, source } = cache();
    source.answer = async () => present;
    const answers = [cached.lookup(user("fred")), cached.lookup(user("fred")), cached.lookup(user("fred"))];
    expect(await Promise.all(answers)).toEqual([present, present, present]);
    expect(cached.lookup(user("fred"))).toBe(present);
    expect(source.asked).toHaveLength(1);
    expect(cached.counts).toMatchObject({ misses: 1, coalesced: 2, hits: 1 });
  });

  it.each([
    ["absence", absent],
    ["a full mailbox", full],
    ["no right to post", { ...present, rights: "l" }],
  ])("of %s may be older than the question of those who join, so it is asked for once more", async (_name, refusal) => {
    const { cached, source } = cache({ negativeTtl: 0 });
    source.answer = async () => refusal;
    const first = cached.lookup(user("fred"));
    source.answer = async () => present;
    const joined = [cached.lookup(user("fred")), cached.lookup(user("fred")), cached.lookup(user("fred"))];
    expect(await first).toBe(refusal);
    expect(await Promise.all(joined)).toEqual([present, present, present]);
    expect(source.asked).toHaveLength(2);
  });

  it("of absence is good enough for those who join where it may be remembered", async () => {
    const { cached, source } = cache({ negativeTtl: 1_000 });
    source.answer = async () => absent;
    expect(await Promise.all([cached.lookup(user("fred")), cached.lookup(user("fred"))])).toEqual([absent, absent]);
    expect(source.asked).toHaveLength(1);
  });

  it("that take two to answer have one deadline", async () => {
    vi.useFakeTimers({ toFake: ["performance", "setTimeout", "clearTimeout"] });
    const { cached, source } = cache({ negativeTtl: 0 });
    const later = (facts: MailboxFacts) => () =>
      new Promise<MailboxFacts>((resolve) => setTimeout(resolve, TIMEOUT - 1_000, facts));
    source.answer = later(absent);
    const first = cached.lookup(user("fred"));
    source.answer = later(present);
    const joined = Promise.resolve(cached.lookup(user("fred"))).catch((error: unknown) => error);
    await vi.advanceTimersByTimeAsync(TIMEOUT - 1_000);
    expect(await first).toBe(absent);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(await joined).toMatchObject({ code: "timeout", message: `source: no answer within ${TIMEOUT} ms` });
  });

  it("fail together, and the failure is not kept", async () => {
    const { cached, source } = cache();
    const failure = new StoreError("unavailable", "gone");
    source.answer = () => Promise.reject(failure);
    const answers = [cached.lookup(user("fred")), cached.lookup(user("fred"))];
    for (const answer of answers) await expect(answer).rejects.toBe(failure);
    source.answer = () => present;
    expect(cached.lookup(user("fred"))).toBe(present);
  });
});

describe("while the store fails", () => {
  const fail = () => {
    throw new StoreError("unavailable", "gone");
  };

  it.each([
    ["at once", fail],
    ["later", () => Promise.reject(new StoreError("timeout", "slow"))],
  ])("%s, an old positive answer is given for a while, and told", async (_name, failing) => {
    const { cached, source, lines } = cache({ staleTtl: 30_000 });
    cached.lookup(user("fred"));
    source.answer = failing;
    vi.advanceTimersByTime(62_000);
    expect(await cached.lookup(user("fred"))).toBe(present);
    expect(await cached.lookup(user("fred"))).toBe(present);
    expect(lines).toEqual(["source: the store fails, serving an answer that expired 2 s ago"]);
    expect(cached.counts.stale).toBe(2);
    vi.advanceTimersByTime(28_000);
    await expect(async () => cached.lookup(user("fred"))).rejects.toThrow(StoreError);
  });

  it("an old absence is never given", () => {
    const { cached, source } = cache({ staleTtl: 30_000 });
    source.answer = () => absent;
    cached.lookup(user("nobody"));
    source.answer = fail;
    vi.advanceTimersByTime(10_001);
    expect(() => cached.lookup(user("nobody"))).toThrow("gone");
  });

  it.each<[string, MailboxFacts]>([
    ["that nobody may post to", { ...present, rights: "l" }],
    ["that nobody may see", { ...present, rights: "" }],
    ["that is full", full],
  ])("an old answer of a mailbox %s is never given", (_name, facts) => {
    const { cached, source } = cache({ staleTtl: 30_000 });
    source.answer = () => facts;
    cached.lookup(user("fred"));
    source.answer = fail;
    vi.advanceTimersByTime(10_001);
    expect(() => cached.lookup(user("fred"))).toThrow("gone");
  });

  it("no old answer is given by default, nor by a closed store", () => {
    const { cached, source } = cache();
    cached.lookup(user("fred"));
    source.answer = fail;
    vi.advanceTimersByTime(60_000);
    expect(() => cached.lookup(user("fred"))).toThrow("gone");
    const stale = cache({ staleTtl: 30_000 });
    stale.cached.lookup(user("fred"));
    stale.source.answer = () => {
      throw new StoreError("closed", "closed");
    };
    vi.advanceTimersByTime(60_000);
    expect(() => stale.cached.lookup(user("fred"))).toThrow("closed");
  });
});

describe("while the store is silent", () => {
  let answer: (facts: MailboxFacts) => void = () => {};
  const later = () =>
    new Promise<MailboxFacts>((resolve) => {
      answer = resolve;
    });

  beforeEach(() => {
    vi.useRealTimers();
    vi.useFakeTimers({ toFake: ["performance", "setTimeout", "clearTimeout"] });
  });

  it("an old positive answer is given after a quarter of the time, to all who wait, and the one that comes is kept", async () => {
    const { cached, source, lines } = cache({ staleTtl: 30_000 });
    cached.lookup(user("fred"));
    source.answer = later;
    vi.advanceTimersByTime(62_000);
    let given = 0;
    const waiting = [cached.lookup(user("fred")), cached.lookup(user("fred"))];
    for (const facts of waiting) void Promise.resolve(facts).then(() => given++);
    await vi.advanceTimersByTimeAsync(TIMEOUT / 4 - 1);
    expect(given).toBe(0);
    await vi.advanceTimersByTimeAsync(1);
    expect(await Promise.all(waiting)).toEqual([present, present]);
    expect(await cached.lookup(user("fred"))).toBe(present);
    expect(lines).toEqual(["source: the store is slow, serving an answer that expired 3 s ago"]);
    expect(source.asked).toHaveLength(2);
    answer(limited);
    await vi.advanceTimersByTimeAsync(0);
    expect(cached.lookup(user("fred"))).toBe(limited);
    expect(source.asked).toHaveLength(2);
  });

  it("others wait again after a while", async () => {
    const { cached, source } = cache({ staleTtl: 30_000 });
    for (const name of ["fred", "emma"]) cached.lookup(user(name));
    source.answer = later;
    vi.advanceTimersByTime(62_000);
    void cached.lookup(user("fred"));
    await vi.advanceTimersByTimeAsync(TIMEOUT / 4 + TIMEOUT);
    const other = cached.lookup(user("emma"));
    await vi.advanceTimersByTimeAsync(TIMEOUT / 4 - 1);
    answer(limited);
    expect(await other).toBe(limited);
  });

  it("others do not wait, until it has answered somebody", async () => {
    const { cached, source } = cache({ staleTtl: 30_000 });
    for (const name of ["fred", "emma"]) cached.lookup(user(name));
    source.answer = later;
    vi.advanceTimersByTime(62_000);
    const first = cached.lookup(user("fred"));
    await vi.advanceTimersByTimeAsync(TIMEOUT / 4);
    expect(await first).toBe(present);
    expect(await cached.lookup(user("emma"))).toBe(present);
    answer(limited);
    await vi.advanceTimersByTimeAsync(0);
    expect(cached.lookup(user("emma"))).toBe(limited);
    vi.advanceTimersByTime(16_000);
    const again = cached.lookup(user("emma"));
    await vi.advanceTimersByTimeAsync(TIMEOUT / 4 - 1);
    answer(full);
    expect(await again).toBe(full);
  });

  it.each<[string, MailboxFacts, number]>([
    ["none that refuses mail", full, 30_000],
    ["none at all by default", present, 0],
  ])("%s is given", async (_name, old, staleTtl) => {
    const { cached, source } = cache({ staleTtl });
    source.answer = () => old;
    cached.lookup(user("fred"));
    source.answer = later;
    vi.advanceTimersByTime(62_000);
    const waiting = cached.lookup(user("fred"));
    await vi.advanceTimersByTimeAsync(TIMEOUT - 1);
    answer(absent);
    expect(await waiting).toBe(absent);
  });

  it("none from before a purge is given", async () => {
    const { cached, source } = cache({ staleTtl: 30_000 });
    cached.lookup(user("fred"));
    source.answer = later;
    vi.advanceTimersByTime(62_000);
    const waiting = cached.lookup(user("fred"));
    cached.purge();
    await vi.advanceTimersByTimeAsync(TIMEOUT - 1);
    answer(absent);
    expect(await waiting).toBe(absent);
  });
});

describe("names that are not known", () => {
  const STRANGERS_MAX = 64;
  let answers: ((facts: MailboxFacts) => void)[] = [];
  const later = () => new Promise<MailboxFacts>((resolve) => answers.push(resolve));
  const tick = () => vi.advanceTimersByTimeAsync(0);

  beforeEach(() => {
    vi.useRealTimers();
    vi.useFakeTimers({ toFake: ["performance", "setTimeout", "clearTimeout"] });
    answers = [];
  });

  /** Asks for more unknown names than may be looked up at a time. */
  function crowd(more: number, concurrency?: number) {
    const { cached, source } = cache({ size: 100, negativeTtl: 0 }, concurrency);
    cached.lookup(user("fred"));
    source.asked.length = 0;
    vi.advanceTimersByTime(60_000);
    source.answer = later;
    const names = Array.from({ length: STRANGERS_MAX + more }, (_, i) => `nobody${i}`);
    const replies = names.map(async (name) => cached.lookup(user(name)));
    return { cached, source, names, replies };
  }

  it("wait for each other and not before the store, in the order of asking", async () => {
    const { source, names, replies } = crowd(3);
    expect(source.asked).toEqual(names.slice(0, STRANGERS_MAX));
    answers[5]?.(absent);
    await tick();
    expect(source.asked).toEqual(names.slice(0, STRANGERS_MAX + 1));
    for (let i = 0; i < names.length; i++) {
      answers[i]?.(absent);
      await tick();
    }
    expect(source.asked).toEqual(names);
    expect(await Promise.all(replies)).toEqual(names.map(() => absent));
  });

  it.each([
    [1000, 64],
    [10, 10],
    [1, 8],
  ])("with room for %i look-ups in the store, %i of them are asked for at a time", (concurrency, count) => {
    expect(crowd(1, concurrency).source.asked).toHaveLength(count);
  });

  it("keep no known user waiting", async () => {
    const { cached, source, replies } = crowd(1);
    const fred = cached.lookup(user("fred"));
    expect(source.asked.at(-1)).toBe("fred");
    answers.at(-1)?.(present);
    expect(await fred).toBe(present);
    for (const answer of answers) answer(absent);
    await tick();
    answers.at(-1)?.(absent);
    await Promise.all(replies);
  });

  it("are asked for once where several wait for the same", async () => {
    const { cached, source } = crowd(0);
    const twice = [cached.lookup(user("late")), cached.lookup(user("late"))];
    for (const answer of answers.splice(0)) answer(absent);
    await tick();
    expect(source.asked.filter((name) => name === "late")).toHaveLength(1);
    answers[0]?.(present);
    expect(await Promise.all(twice)).toEqual([present, present]);
  });

  it("are asked for once more in turn, where others have joined a refusal", async () => {
    const { cached, source, names, replies } = crowd(1);
    const joined = cached.lookup(user("nobody0"));
    answers[0]?.(absent);
    await tick();
    // The place that became free is taken by who waited before.
    expect(source.asked).toEqual(names);
    answers[1]?.(absent);
    await tick();
    expect(source.asked).toEqual([...names, "nobody0"]);
    answers.at(-1)?.(present);
    expect(await joined).toBe(present);
    for (const answer of answers) answer(absent);
    await Promise.all(replies);
  });

  it("wait no longer than a look-up may take, and then are not asked for", async () => {
    const { source, replies } = crowd(1);
    const late = expect(replies.at(-1)).rejects.toMatchObject({ code: "timeout" });
    await vi.advanceTimersByTimeAsync(TIMEOUT);
    await late;
    for (const answer of answers) answer(absent);
    await tick();
    expect(source.asked).toHaveLength(STRANGERS_MAX);
    await Promise.all(replies.slice(0, -1));
  });

  it("all fail at once where the store begins to", async () => {
    const { source, replies } = crowd(100);
    source.answer = () => {
      throw new StoreError("unavailable", "gone");
    };
    answers[0]?.(absent);
    const failed = await Promise.allSettled(replies.slice(STRANGERS_MAX));
    expect(failed.filter(({ status }) => status === "rejected")).toHaveLength(100);
    for (const answer of answers) answer(absent);
    await Promise.all(replies.slice(0, STRANGERS_MAX));
  });
});

describe("purging", () => {
  it("forgets one mailbox, or all", () => {
    const { cached, source } = cache();
    for (const name of ["a", "b"]) cached.lookup(user(name));
    cached.purge(user("a"));
    source.asked.length = 0;
    for (const name of ["a", "b"]) cached.lookup(user(name));
    expect(source.asked).toEqual(["a"]);
    cached.purge();
    expect(cached.counts.entries).toBe(0);
  });

  it("keeps nothing of what was asked before it", async () => {
    const { cached, source } = cache();
    let answer: (facts: MailboxFacts) => void = () => {};
    source.answer = () =>
      new Promise((resolve) => {
        answer = resolve;
      });
    const before = cached.lookup(user("fred"));
    cached.purge();
    answer(absent);
    expect(await before).toBe(absent);
    source.answer = () => present;
    expect(cached.lookup(user("fred"))).toBe(present);
  });
});

it("hands ping and close to the store", async () => {
  const { cached, source } = cache();
  expect(cached.name).toBe("source");
  await cached.ping(new Lookup());
  await cached.close();
  expect(source.done).toEqual(["ping", "close"]);
});
