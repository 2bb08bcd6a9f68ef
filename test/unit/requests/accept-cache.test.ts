import { describe, expect, it } from "vitest";
import { RecipientParser } from "../../../src/engine/recipient.ts";
import { AcceptCache } from "../../../src/requests/accept-cache.ts";
import { RecipientJudge } from "../../../src/requests/recipient-judge.ts";
import { SocketmapHandler } from "../../../src/requests/socketmap-handler.ts";
import { Lookup } from "../../../src/store/lookup.ts";
import {
  type Log,
  type MailboxFacts,
  type MailboxId,
  type MailboxStore,
  StoreError,
} from "../../../src/store/store.ts";

describe("the accept cache", () => {
  it("contains added requests while the data version is the same", () => {
    const memory = new AcceptCache(10);
    expect(memory.has("m fred", 1)).toBe(false);
    memory.add("m fred", 1);
    expect(memory.has("m fred", 1)).toBe(true);
    expect(memory.has("m betty", 1)).toBe(false);
    expect(memory.has("m fred", 2)).toBe(false);
    expect(memory.has("m fred", 1)).toBe(false);
  });

  it("contains nothing without a data version, nor requests of another one", () => {
    const memory = new AcceptCache(10);
    expect(memory.has("m fred", null)).toBe(false);
    memory.add("m fred", null);
    expect(memory.has("m fred", null)).toBe(false);
    expect(memory.counts).toBe(null);
    memory.has("m barney", 1);
    memory.add("m barney", 1);
    expect(memory.has("m barney", null)).toBe(false);
    expect(memory.has("m barney", 1)).toBe(true);
    memory.has("m fred", 1);
    memory.has("m betty", 2);
    memory.add("m fred", 1);
    expect(memory.has("m fred", 2)).toBe(false);
    expect(memory.has("m fred", 1)).toBe(false);
  });

  it("does not contain requests longer than any address", () => {
    const memory = new AcceptCache(10);
    const long = `m ${"x".repeat(400)}`;
    memory.has(long, 1);
    memory.add(long, 1);
    expect(memory.has(long, 1)).toBe(false);
    expect(memory.counts).toMatchObject({ entries: 0 });
  });

  it("evicts requests without hits first, and never exceeds its size", () => {
    const memory = new AcceptCache(100);
    memory.has("fred", 1);
    memory.add("fred", 1);
    for (let i = 0; i < 1000; i++) {
      memory.add(`user${i}`, 1);
      if (i % 20 === 0) expect(memory.has("fred", 1)).toBe(true);
      expect(memory.counts?.entries).toBeLessThanOrEqual(200);
    }
    expect(memory.has("user0", 1)).toBe(false);
    expect(memory.has("user999", 1)).toBe(true);
    memory.clear();
    expect(memory.counts).toMatchObject({ entries: 0 });
    expect(memory.has("fred", 1)).toBe(false);
  });

  it("is disabled while hits are rare, and is tried again", () => {
    const memory = new AcceptCache(10);
    const ask = (request: string) => {
      const dataVersion = memory.isEnabled() ? 1 : null;
      const isKnown = memory.has(request, dataVersion);
      if (!isKnown) memory.add(request, dataVersion);
      return isKnown;
    };
    for (let i = 0; i < 100; i++) expect(ask(`user${i}`)).toBe(false);
    expect(memory.counts).toMatchObject({ hits: 0, entries: 0 });
    for (let i = 0; i < 500; i++) ask("fred");
    for (let i = 0; i < 100; i++) expect(ask("fred")).toBe(true);
  });

  it("of size 0 is never enabled", () => {
    const memory = new AcceptCache(0);
    for (let i = 0; i < 10; i++) expect(memory.isEnabled()).toBe(false);
  });
});

describe("a socketmap handler with an accept cache", () => {
  const room = { root: "r", resource: "STORAGE", used: 1, limit: 2 } as const;
  const facts: Record<string, MailboxFacts> = {
    fred: { exists: true, rights: null, quotas: [room] },
    full: { exists: true, rights: null, quotas: [{ ...room, used: 3 }] },
  };

  class Source implements MailboxStore {
    readonly name = "source";
    readonly capabilities = { folders: true, shared: true, quota: [] };
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

    dataVersion(): number | null {
      return this.current;
    }

    async ping(): Promise<void> {}
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
    const judge = new RecipientJudge({ recipients, store, policy, log: silent });
    const none = { accessMaps: null, audit: null };
    const answering = new SocketmapHandler({ judge, policy, value, acceptCache: { size: 100, store }, ...none });
    return { store, ask: (key: string) => answering.respond(`m ${key}`, new Lookup(), "client") };
  }

  it("looks each request up once per data version, and gives the same reply", () => {
    const { store, ask } = responder();
    for (const key of ["fred", "Fred"]) {
      const reply = ask(key);
      expect(ask(key)).toBe(reply);
    }
    expect(store.asked).toEqual(["fred", "fred"]);
    expect(ask("Fred")).toBe("7:OK Fred,");
    store.current = 2;
    ask("fred");
    expect(store.asked).toHaveLength(3);
  });

  it("looks absent and full mailboxes up each time, and repeats after a failure", () => {
    const { store, ask } = responder();
    for (const key of ["nobody", "nobody"]) expect(ask(key)).toMatch(/NOTFOUND/);
    for (const key of ["full", "full"]) expect(ask(key)).toMatch(/Over quota/);
    store.asked.length = 2;
    store.fails = true;
    expect(ask("fred")).toMatch(/TEMP/);
    store.fails = false;
    expect(ask("fred")).toBe("7:OK fred,");
    expect(store.asked).toEqual(["nobody", "nobody", "fred", "fred"]);
  });

  it("does not cache a look-up that began under another data version", async () => {
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

  it("caches nothing if the reply contains the mailbox' name", () => {
    const { store, ask } = responder("mailbox");
    expect(ask("fred")).toBe("12:OK user.fred,");
    expect(ask("fred")).toBe("12:OK user.fred,");
    expect(store.asked).toEqual(["fred", "fred"]);
  });
});
