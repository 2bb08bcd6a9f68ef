import { describe, expect, it, onTestFinished, vi } from "vitest";
import { GuardedStore, type GuardOptions } from "../../../src/store/guarded.ts";
import { Lookup } from "../../../src/store/lookup.ts";
import {
  type Log,
  type LookupOptions,
  type MailboxFacts,
  type MailboxId,
  type MailboxStore,
  type StoreCapabilities,
  StoreError,
} from "../../../src/store/store.ts";

type Answer = MailboxStore["lookup"];

const fred: MailboxId = { kind: "user", user: "fred", domain: null, folders: [], address: "fred", detail: null };
const shared: MailboxId = { kind: "shared", domain: null, folders: ["a"], address: "", detail: "a" };
const present: MailboxFacts = { exists: true, rights: null, quotas: [] };
const never = () => new Promise<MailboxFacts>(() => {});

class Lines {
  readonly all: string[] = [];
  readonly log: Log = Object.fromEntries(
    ["error", "warning", "notice", "info", "debug"].map((level) => [
      level,
      (message: string) => void this.all.push(`${level}: ${message}`),
    ]),
  ) as Log;
}

function guard(lookup: Answer, options: Partial<GuardOptions> = {}, more: Partial<MailboxStore> = {}) {
  const lines = new Lines();
  const capabilities: StoreCapabilities = { folders: true, shared: true, quota: ["STORAGE", "MESSAGE"] };
  const closes = { count: 0 };
  const store: MailboxStore = {
    name: "test",
    capabilities,
    lookup,
    ping: async () => {},
    close: async () => void closes.count++,
    ...more,
  };
  const settings = { timeout: 5_000, breaker: { failures: 0, reset: 0 }, log: lines.log, ...options };
  return { guarded: new GuardedStore(store, settings), lines: lines.all, closes };
}

/** The StoreError that a look-up ends with, thrown or rejected. */
async function failure(guarded: GuardedStore, lookup = new Lookup()): Promise<StoreError> {
  try {
    const facts = await guarded.lookup(fred, lookup);
    throw new Error(`no failure but ${JSON.stringify(facts)}`);
  } catch (error) {
    expect(error).toBeInstanceOf(StoreError);
    return error as StoreError;
  }
}

describe("answers", () => {
  it("pass at once where the store answers at once", () => {
    const { guarded } = guard(() => present);
    expect(guarded.lookup(fred, new Lookup())).toBe(present);
  });

  it("pass later where it answers later", async () => {
    const { guarded } = guard(async () => present);
    const facts = guarded.lookup(fred, new Lookup());
    expect(facts).toBeInstanceOf(Promise);
    expect(await facts).toBe(present);
  });

  const quota = { root: "r", resource: "STORAGE", used: 1, limit: 2 };
  const garbage: readonly [string, unknown][] = [
    ["undefined", undefined],
    ["null", null],
    ["false", false],
    ["an empty object", {}],
    ["exists 0", { exists: 0 }],
    ["exists 'true'", { exists: "true", rights: null, quotas: [] }],
    ["no rights", { exists: true, quotas: [] }],
    ["numeric rights", { exists: true, rights: 7, quotas: [] }],
    ["no quotas", { exists: true, rights: null }],
    ["a null quota", { exists: true, rights: null, quotas: [null] }],
    ["an unknown resource", { exists: true, rights: null, quotas: [{ ...quota, resource: "X" }] }],
    ["a usage that is no number", { exists: true, rights: null, quotas: [{ ...quota, used: Number.NaN }] }],
    ["a usage in a string", { exists: true, rights: null, quotas: [{ ...quota, used: "1" }] }],
    ["a negative limit", { exists: true, rights: null, quotas: [{ ...quota, limit: -1 }] }],
    ["an endless limit", { exists: true, rights: null, quotas: [{ ...quota, limit: Number.POSITIVE_INFINITY }] }],
    ["a missing limit", { exists: true, rights: null, quotas: [{ root: "r", resource: "STORAGE", used: 1 }] }],
  ];
  it.each(garbage)("that are %s are invalid data, never absent", async (_name, answer) => {
    expect((await failure(guard(() => answer as MailboxFacts).guarded)).code).toBe("invalid-data");
    expect((await failure(guard(async () => answer as MailboxFacts).guarded)).code).toBe("invalid-data");
  });
});

describe("errors", () => {
  it("of the store pass as they are", async () => {
    const error = new StoreError("denied", "test: wrong password");
    const throwing = guard(() => {
      throw error;
    });
    expect(await failure(throwing.guarded)).toBe(error);
    expect(await failure(guard(() => Promise.reject(error)).guarded)).toBe(error);
  });

  it("that are none of the store's kind are mistakes, told with their stack", async () => {
    const { guarded, lines } = guard(() => {
      throw new TypeError("x is undefined");
    });
    const error = await failure(guarded);
    expect(error.code).toBe("internal");
    expect(error.message).toBe("test: x is undefined");
    expect(lines[0]).toMatch(/^error: test: x is undefined \[internal\]: TypeError: x is undefined\n\s+at /);
    expect((await failure(guard(() => Promise.reject("text")).guarded)).message).toBe("test: text");
  });

  it("of another copy of this package are as good as ours", async () => {
    const foreign = Object.assign(new Error("test: down"), { name: "StoreError", code: "unavailable" });
    const error = await failure(guard(() => Promise.reject(foreign)).guarded);
    expect(error).toMatchObject({ code: "unavailable", message: "test: down", cause: foreign });
    const odd = Object.assign(new Error("down"), { name: "StoreError", code: "E_ODD" });
    expect((await failure(guard(() => Promise.reject(odd)).guarded)).code).toBe("internal");
  });

  it("are told once while they last, and their end is told", async () => {
    let answer: Answer = () => {
      throw new StoreError("unavailable", "test: gone");
    };
    const { guarded, lines } = guard((mailbox, options) => answer(mailbox, options));
    for (let i = 0; i < 100; i++) await failure(guarded);
    expect(lines).toEqual(["error: test: gone [unavailable]"]);
    answer = () => present;
    await guarded.lookup(fred, new Lookup());
    await guarded.lookup(fred, new Lookup());
    expect(lines.slice(1)).toEqual(["notice: test: answers again; failed look-ups: 100"]);
  });

  it("of a store that comes and goes are told once in a while, and so are its recoveries", async () => {
    vi.useFakeTimers({ toFake: ["performance"] });
    onTestFinished(() => void vi.useRealTimers());
    let isDown = false;
    const { guarded, lines } = guard(() => {
      isDown = !isDown;
      if (isDown) throw new StoreError("unavailable", "test: gone");
      return present;
    });
    const flap = async () => {
      await failure(guarded);
      await guarded.lookup(fred, new Lookup());
    };
    for (let i = 0; i < 50; i++) await flap();
    expect(lines).toEqual(["error: test: gone [unavailable]", "notice: test: answers again; failed look-ups: 1"]);
    vi.advanceTimersByTime(10_000);
    for (let i = 0; i < 50; i++) await flap();
    expect(lines.slice(2)).toEqual([
      "error: test: gone [unavailable] (49 more since the last such line)",
      "notice: test: answers again; failed look-ups: 50",
    ]);
  });

  it("that were told are not the last word, however soon the store recovers", async () => {
    vi.useFakeTimers({ toFake: ["performance"] });
    onTestFinished(() => void vi.useRealTimers());
    let fault: string | null = "test: gone";
    const { guarded, lines } = guard(() => {
      if (fault !== null) throw new StoreError("unavailable", fault);
      return present;
    });
    const succeed = async () => {
      fault = null;
      await guarded.lookup(fred, new Lookup());
    };
    await failure(guarded);
    await succeed();
    fault = "test: gone in another way";
    await failure(guarded);
    await succeed();
    expect(lines.at(-1)).toBe("error: test: gone in another way [unavailable]");
    vi.advanceTimersByTime(10_000);
    await succeed();
    expect(lines.at(-1)).toBe("notice: test: answers again; failed look-ups: 1");
  });
});

describe("the deadline", () => {
  it("ends a look-up with timeout and calls the store off", async () => {
    const seen: LookupOptions[] = [];
    const { guarded } = guard(
      (_mailbox, options) => {
        seen.push(options);
        return never();
      },
      { timeout: 20 },
    );
    const error = await failure(guarded);
    expect(error.code).toBe("timeout");
    expect(seen[0]?.signal.aborted).toBe(true);
    expect(seen[0]?.signal.reason).toBe(error);
  });

  it("falls due for each look-up on its own", async () => {
    const { guarded } = guard(never, { timeout: 20 });
    const first = failure(guarded);
    await failure(guarded);
    expect((await first).code).toBe("timeout");
    expect((await failure(guarded)).code).toBe("timeout");
  });

  it("holds for ping", async () => {
    const { guarded } = guard(() => present, { timeout: 20 }, { ping: () => new Promise(() => {}) });
    await expect(guarded.ping(new Lookup())).rejects.toMatchObject({ code: "timeout" });
  });

  it("a late answer of the store changes nothing", async () => {
    let answer: (facts: MailboxFacts) => void = () => {};
    const { guarded } = guard(
      () =>
        new Promise((resolve) => {
          answer = resolve;
        }),
      { timeout: 20 },
    );
    const error = failure(guarded);
    expect((await error).code).toBe("timeout");
    answer(present);
    await guarded.close();
  });
});

describe("capabilities", () => {
  const limited = (capabilities: Partial<StoreCapabilities>) => {
    const asked: MailboxId[] = [];
    const answer: Answer = (mailbox) => {
      asked.push(mailbox);
      return present;
    };
    const all: StoreCapabilities = { folders: true, shared: true, quota: [] };
    return { ...guard(answer, {}, { capabilities: { ...all, ...capabilities } }), asked };
  };

  it("without folders: the INBOX is asked for in their place", () => {
    const { guarded, asked } = limited({ folders: false });
    guarded.lookup({ ...fred, folders: ["a", "b"], detail: "a/b" }, new Lookup());
    expect(asked).toEqual([{ ...fred, detail: "a/b" }]);
  });

  it("without shared folders: each of them is absent", () => {
    const { guarded, asked } = limited({ shared: false });
    expect(guarded.lookup(shared, new Lookup())).toEqual({ exists: false });
    expect(asked).toEqual([]);
  });

  it("with both: the mailbox goes through as it is", () => {
    const { guarded, asked } = limited({});
    const folder = { ...fred, folders: ["a"] };
    guarded.lookup(folder, new Lookup());
    guarded.lookup(shared, new Lookup());
    expect(asked).toEqual([folder, shared]);
  });
});

describe("the breaker", () => {
  it("opens after failures in a row, and lets one through after the reset time", async () => {
    let asked = 0;
    const answers: Answer = () => {
      asked++;
      throw new StoreError("unavailable", "test: gone");
    };
    const { guarded } = guard(answers, { breaker: { failures: 3, reset: 60_000 } });
    for (let i = 0; i < 10; i++) expect((await failure(guarded)).code).toBe("unavailable");
    expect(asked).toBe(3);
  });

  it("closes with the first answer", async () => {
    let isDown = true;
    let asked = 0;
    const answers: Answer = () => {
      asked++;
      if (isDown) throw new StoreError("timeout", "test: slow");
      return present;
    };
    const { guarded } = guard(answers, { breaker: { failures: 1, reset: 0 } });
    await failure(guarded);
    isDown = false;
    expect(guarded.lookup(fred, new Lookup())).toBe(present);
    expect(guarded.lookup(fred, new Lookup())).toBe(present);
    expect(asked).toBe(3);
  });

  it("does not count a backend that answers, however badly", async () => {
    let asked = 0;
    const answers: Answer = () => {
      asked++;
      throw new StoreError("invalid-data", "test: two rows");
    };
    const { guarded } = guard(answers, { breaker: { failures: 2, reset: 60_000 } });
    for (let i = 0; i < 5; i++) await failure(guarded);
    expect(asked).toBe(5);
  });
});

describe("the end", () => {
  it("comes once, and look-ups in flight and after it are closed", async () => {
    const { guarded, closes } = guard(never);
    const pending = failure(guarded);
    await Promise.all([guarded.close(), guarded.close()]);
    expect((await pending).code).toBe("closed");
    expect((await failure(guarded)).code).toBe("closed");
    await expect(guarded.ping(new Lookup())).rejects.toMatchObject({ code: "closed" });
    expect(closes.count).toBe(1);
  });

  it("waits for the look-ups in flight when the store is retired", async () => {
    let answer: (facts: MailboxFacts) => void = () => {};
    const { guarded, closes } = guard(
      () =>
        new Promise((resolve) => {
          answer = resolve;
        }),
    );
    const facts = guarded.lookup(fred, new Lookup());
    const retired = guarded.retire();
    expect(closes.count).toBe(0);
    answer(present);
    expect(await facts).toBe(present);
    await retired;
    expect(closes.count).toBe(1);
  });

  it("that fails is told, not thrown", async () => {
    const { guarded, lines } = guard(() => present, {}, { close: () => Promise.reject(new Error("busy")) });
    await guarded.retire();
    expect(lines).toEqual(["warning: test: closing failed: busy"]);
  });
});
