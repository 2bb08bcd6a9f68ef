/** Many look-ups cost no memory and no connections. bench/imap.ts makes 100,000 of them. */
import { readdirSync } from "node:fs";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { afterAll, beforeAll, expect, it } from "vitest";
import { Cyrus } from "../../fixtures/servers/cyrus.ts";
import { populate } from "../../fixtures/servers/cyrus-population.ts";
import { openImapStore } from "../../fixtures/servers/cyrus-store.ts";
import { Lookup } from "../../src/store/lookup.ts";
import type { MailboxStore } from "../../src/store/store.ts";

const LOOKUPS = 10_000;
const POOL = 4;
/** Octets that the heap may grow by, whatever else lives in it. */
const GROWTH = 4 * 2 ** 20;

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

let cyrus: Cyrus;
let store: MailboxStore;

beforeAll(async () => {
  cyrus = await Cyrus.start();
  await populate(cyrus, {
    mailboxes: [{ name: "user/fred" }],
    quotas: [{ root: "user/fred", limits: { STORAGE: 9 } }],
  });
  store = openImapStore(cyrus, { smmap_pool_size: `${POOL}`, smmap_pool_max: `${POOL}` });
});

afterAll(async () => {
  await store?.close();
  await cyrus?.stop();
});

async function lookUp(count: number): Promise<void> {
  let asked = 0;
  const lanes = Array.from({ length: 16 }, async () => {
    while (asked < count) {
      const user = asked++ % 2 === 0 ? "fred" : "nobody";
      const found = await store.lookup(
        { kind: "user", user, domain: null, folders: [], address: user, detail: null },
        new Lookup(),
      );
      expect(found.exists).toBe(user === "fred");
    }
  });
  await Promise.all(lanes);
}

function used(): { heap: number; descriptors: number } {
  collectGarbage();
  return { heap: process.memoryUsage().heapUsed, descriptors: readdirSync("/proc/self/fd").length };
}

it(`${LOOKUPS} look-ups leave heap and connections as they were`, { timeout: 120_000 }, async () => {
  await lookUp(1_000);
  const before = used();
  await lookUp(LOOKUPS);
  const after = used();
  expect(after.heap - before.heap).toBeLessThan(GROWTH);
  expect(after.descriptors).toBe(before.descriptors);
  expect((await cyrus.busyImapds()).length).toBe(POOL);
});
