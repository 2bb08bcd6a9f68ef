/** Tests of the suite: each of its cases fails on a store that violates its requirement. */
import { expect, test } from "vitest";
import { conformanceMemoryStore, type MemoryStore } from "../../fixtures/memory-store.ts";
import { type BackendHooks, storeConformance } from "../../src/conformance/index.ts";
import type { LookupOptions, MailboxFacts, MailboxId, MailboxStore } from "../../src/store/store.ts";

type Lookup = (store: MemoryStore, mailbox: MailboxId, options: LookupOptions) => MailboxFacts | Promise<MailboxFacts>;

/** Names of the cases that fail on a memory store whose look-ups go through `lookup`. */
async function failures(lookup: Lookup, rest: Partial<MailboxStore> = {}): Promise<string[]> {
  const tests: { name: string; body: () => Promise<void> }[] = [];
  const opened: MemoryStore[] = [];
  let fault: MemoryStore["fault"] = null;
  const open = (lasting: MemoryStore["fault"] = null): MailboxStore => {
    const store = conformanceMemoryStore({ promises: true });
    store.fault = lasting ?? fault;
    if (lasting === null) opened.push(store);
    return {
      name: "broken",
      capabilities: store.capabilities,
      lookup: (mailbox, options) => lookup(store, mailbox, options),
      ping: (options) => store.ping(options),
      close: () => store.close(),
      ...rest,
    };
  };
  const become = async (next: MemoryStore["fault"]) => {
    fault = next;
    for (const store of opened) store.fault = next;
  };
  const backend: BackendHooks = {
    stop: () => become("down"),
    hang: () => become("hang"),
    start: () => become(null),
    wrongPassword: () => open("denied"),
    garbage: () => open("garbage"),
  };
  storeConformance(
    { describe: (_name, body) => body(), it: (name, body) => tests.push({ name, body }) },
    { name: "broken", open, backend, timeout: 100 },
  );
  const failed: string[] = [];
  for (const { name, body } of tests) await body().catch(() => failed.push(name));
  return failed;
}

const absent: MailboxFacts = { exists: false };
const plain: MailboxFacts = { exists: true, rights: null, quotas: [] };

test("a store that is right passes", async () => {
  expect(await failures((store, mailbox, options) => store.lookup(mailbox, options))).toEqual([]);
});

test("a store that reports failures as absences fails every fault case", async () => {
  const failed = await failures(async (store, mailbox, options) => {
    try {
      return await store.lookup(mailbox, options);
    } catch {
      return absent;
    }
  });
  expect(failed).toEqual([
    "never reports an existing mailbox as absent when a look-up is cancelled",
    "rejects while the backend is down, and recovers afterwards",
    "rejects when the backend refuses the password",
    "rejects when the backend sends invalid data",
    "ends look-ups that wait for a hanging backend when they are cancelled and when the store is closed",
    "returns no wrong facts while the backend stops and restarts",
  ]);
});

test("a store that finds whatever it is asked for", async () => {
  expect(await failures(async () => plain)).toContain("reports absent addresses as absent");
});

test("a store that mixes up answers", async () => {
  let previous: Promise<MailboxFacts> = Promise.resolve(absent);
  const failed = await failures((store, mailbox, options) => {
    const answer = previous;
    previous = Promise.resolve(store.lookup(mailbox, options));
    previous.catch(() => {});
    return answer;
  });
  expect(failed).toContain("returns the right facts to each of 100 concurrent look-ups");
  expect(failed).toContain("returns equal facts on repeated look-ups");
});

test("a store that leaves out quotas, and one that invents rights", async () => {
  const change = (edit: (facts: MailboxFacts) => MailboxFacts): Lookup => {
    return async (store, mailbox, options) => edit(await store.lookup(mailbox, options));
  };
  const name = "returns the facts of every mailbox";
  expect(await failures(change((facts) => (facts.exists ? { ...facts, quotas: [] } : facts)))).toContain(name);
  expect(await failures(change((facts) => (facts.exists ? { ...facts, rights: "lrsp" } : facts)))).toContain(name);
});

test("a ping that always succeeds", async () => {
  const failed = await failures((store, mailbox, options) => store.lookup(mailbox, options), { ping: async () => {} });
  expect(failed).toContain("rejects while the backend is down, and recovers afterwards");
});

test("a close that fails the second time", async () => {
  let closed = 0;
  const close = async () => {
    if (closed++ > 0) throw new Error("closed already");
  };
  const failed = await failures((store, mailbox, options) => store.lookup(mailbox, options), { close });
  expect(failed).toContain("can be closed twice, before and after use");
});

test("a data version that changes by itself is detected", async () => {
  let dataVersion = 0;
  const rest = { dataVersion: () => dataVersion++ };
  expect(await failures((store, mailbox, options) => store.lookup(mailbox, options), rest)).toEqual([
    "keeps dataVersion constant while the data does not change",
  ]);
});
