import { describe, expect, it } from "vitest";
import { RecipientParser } from "../../../src/engine/recipient.ts";
import { Responder } from "../../../src/server/responder.ts";
import { VerdictMemory } from "../../../src/server/verdict-memory.ts";
import type { FactSource } from "../../../src/store/fact-source.ts";
import { Lookup } from "../../../src/store/lookup.ts";
import { type Log, type MailboxFacts, type MailboxId, StoreError } from "../../../src/store/store.ts";

describe("the memory of verdicts", () => {
  it("holds what it was told, as long as the edition is the same", () => {
    const memory = new VerdictMemory(10);
    expect(memory.find("m fred", 1)).toBe(undefined);
    memory.keep("m fred", "accept", 1);
    memory.keep("m full", "over-quota", 1);
    expect(memory.find("m fred", 1)).toBe("accept");
    expect(memory.find("m full", 1)).toBe("over-quota");
    expect(memory.find("m fred", 2)).toBe(undefined);
    expect(memory.find("m fred", 1)).toBe(undefined);
  });

  it("holds nothing while nobody can tell the edition, nor what was decided under another one", () => {
    const memory = new VerdictMemory(10);
    expect(memory.find("m fred", null)).toBe(undefined);
    memory.keep("m fred", "accept", null);
    expect(memory.find("m fred", null)).toBe(undefined);
    expect(memory.counts).toBe(null);
    memory.find("m full", 1);
    memory.keep("m full", "over-quota", 1);
    expect(memory.find("m full", null)).toBe(undefined);
    expect(memory.find("m full", 1)).toBe("over-quota");
    memory.find("m fred", 1);
    memory.find("m betty", 2);
    memory.keep("m fred", "accept", 1);
    expect(memory.find("m fred", 2)).toBe(undefined);
    expect(memory.find("m fred", 1)).toBe(undefined);
  });

  it("holds no absence, and no request of a length that no address has", () => {
    const memory = new VerdictMemory(10);
    const long = `m ${"x".repeat(400)}`;
    memory.find(long, 1);
    memory.keep(long, "accept", 1);
    memory.keep("m nobody", "absent", 1);
    expect(memory.find(long, 1)).toBe(undefined);
    expect(memory.find("m nobody", 1)).toBe(undefined);
    expect(memory.counts).toMatchObject({ entries: 0 });
  });

  it("forgets first what was not asked for, and is never larger than it may be", () => {
    const memory = new VerdictMemory(100);
    memory.find("fred", 1);
    memory.keep("fred", "accept", 1);
    for (let i = 0; i < 1000; i++) {
      memory.keep(`user${i}`, "accept", 1);
      if (i % 20 === 0) expect(memory.find("fred", 1)).toBe("accept");
      expect(memory.counts?.entries).toBeLessThanOrEqual(200);
    }
    expect(memory.find("user0", 1)).toBe(undefined);
    expect(memory.find("user999", 1)).toBe("accept");
    memory.clear();
    expect(memory.counts).toMatchObject({ entries: 0 });
    expect(memory.find("fred", 1)).toBe(undefined);
  });

  it("rests while it does not pay, and is tried again", () => {
    const memory = new VerdictMemory(10);
    const ask = (request: string) => {
      const edition = memory.isAwake() ? 1 : null;
      const verdict = memory.find(request, edition);
      if (verdict === undefined) memory.keep(request, "accept", edition);
      return verdict;
    };
    for (let i = 0; i < 100; i++) expect(ask(`user${i}`)).toBe(undefined);
    expect(memory.counts).toMatchObject({ hits: 0, entries: 0 });
    for (let i = 0; i < 200; i++) ask("fred");
    expect(ask("fred")).toBe("accept");
    for (let i = 0; i < 100; i++) expect(ask("fred")).toBe("accept");
  });

  it("of no size is never awake", () => {
    const memory = new VerdictMemory(0);
    for (let i = 0; i < 10; i++) expect(memory.isAwake()).toBe(false);
  });
});

describe("a responder with a memory", () => {
  const room = { root: "r", resource: "STORAGE", used: 1, limit: 2 } as const;
  const facts: Record<string, MailboxFacts> = {
    fred: { exists: true, rights: null, quotas: [room] },
    full: { exists: true, rights: null, quotas: [{ ...room, used: 3 }] },
  };

  class Source implements FactSource {
    readonly name = "source";
    readonly asked: string[] = [];
    current: number | null = 1;
    fails = false;
    /** What has to happen before an answer; null: nothing. */
    delay: Promise<void> | null = null;

    lookup({ address }: MailboxId): MailboxFacts | Promise<MailboxFacts> {
      this.asked.push(address);
      if (this.fails) throw new StoreError("unavailable", "source: down");
      const answer = facts[address] ?? { exists: false };
      return this.delay === null ? answer : this.delay.then(() => answer);
    }

    edition(): number | null {
      return this.current;
    }

    async ping(): Promise<void> {}
    async retire(): Promise<void> {}
    async close(): Promise<void> {}
  }

  function responder(value: "key" | "mailbox" = "key") {
    const silent: Log = { error() {}, warning() {}, notice() {}, info() {}, debug() {} };
    const store = new Source();
    const recipients = new RecipientParser({
      virtualDomains: true,
      defaultDomain: "",
      separator: "/",
      downcase: true,
      postuser: "",
      skipPlus: false,
    });
    const policy = { overQuotaIsPermanent: false, failureIsAccepted: false };
    const options = { recipients, store, policy, value, accessMaps: null, audit: null, memorySize: 100, log: silent };
    const answering = new Responder(options);
    return { store, ask: (key: string) => answering.respond(`m ${key}`, new Lookup(), "client") };
  }

  it("asks the store once for each request of an edition, and gives the same reply", () => {
    const { store, ask } = responder();
    for (const key of ["fred", "full", "Fred"]) {
      const reply = ask(key);
      expect(ask(key)).toBe(reply);
    }
    expect(store.asked).toEqual(["fred", "full", "fred"]);
    expect(ask("Fred")).toBe("7:OK Fred,");
    store.current = 2;
    ask("fred");
    expect(store.asked).toHaveLength(4);
  });

  it("asks anew for who is absent, and after a failure", () => {
    const { store, ask } = responder();
    for (const key of ["nobody", "nobody"]) expect(ask(key)).toMatch(/NOTFOUND/);
    store.fails = true;
    expect(ask("fred")).toMatch(/TEMP/);
    store.fails = false;
    expect(ask("fred")).toBe("7:OK fred,");
    expect(store.asked).toEqual(["nobody", "nobody", "fred", "fred"]);
  });

  it("does not remember what was asked under another edition", async () => {
    const { store, ask } = responder();
    let go = () => {};
    store.delay = new Promise((resolve) => {
      go = resolve;
    });
    const late = ask("fred");
    store.current = 2;
    void ask("full");
    go();
    expect(await late).toBe("7:OK fred,");
    store.delay = null;
    ask("fred");
    expect(store.asked).toEqual(["fred", "full", "fred"]);
  });

  it("remembers nothing where the reply names the mailbox", () => {
    const { store, ask } = responder("mailbox");
    expect(ask("fred")).toBe("12:OK user.fred,");
    expect(ask("fred")).toBe("12:OK user.fred,");
    expect(store.asked).toEqual(["fred", "fred"]);
  });
});
