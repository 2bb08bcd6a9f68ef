/**
 * Every recorded request over real sockets: unix and TCP, sent in pieces of 1, 16 and 4096 octets, all requests of a
 * variant through one connection.
 */
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type GoldenVariant, goldenNames, loadGolden, populationOf } from "../../fixtures/golden.ts";
import { queryDifferences } from "../../fixtures/known-differences.ts";
import { MemoryStore, type Population } from "../../fixtures/memory-store.ts";
import { SocketmapClient } from "../../fixtures/socketmap-client.ts";
import {
  createInternalNamePopulation,
  createNativePopulation,
  internalNameOptions,
} from "../../fixtures/sqlite-database.ts";
import { startConfiguredServer, startTestServer, type TestServer } from "../../fixtures/test-server.ts";
import { encodeNetstring } from "../../src/engine/netstring.ts";
import { RecipientParser } from "../../src/engine/recipient.ts";
import { parseRequest } from "../../src/engine/socketmap.ts";

interface Exchange {
  readonly id: string;
  readonly reply: string;
}

/** What we ought to say: the recording, byte for byte, except for the known differences. */
function expected(variant: GoldenVariant): Exchange[] {
  return variant.queries.map(({ id, reply }) => {
    const difference = queryDifferences.get(id);
    return { id, reply: difference === undefined ? reply.toString("latin1") : encodeNetstring(difference) };
  });
}

/** All requests of a variant through one connection. */
async function replay(variant: GoldenVariant, address: string, size: number): Promise<Exchange[]> {
  const client = await SocketmapClient.connect(address);
  try {
    const sent = client.send(Buffer.concat(variant.queries.map(({ request }) => request)), size);
    const replies: Exchange[] = [];
    for (const { id } of variant.queries) replies.push({ id, reply: encodeNetstring(await client.receive()) });
    await sent;
    client.halfClose();
    const everything = (await client.receiveAll()).toString("latin1");
    expect(everything, "not a byte more").toBe(replies.map(({ reply }) => reply).join(""));
    return replies;
  } finally {
    client.close();
  }
}

function replayAll(what: string, start: (variant: GoldenVariant) => Promise<TestServer>): void {
  describe(what, () => {
    for (const variant of goldenNames.map(loadGolden).filter(({ queries }) => queries.length > 0)) {
      describe(variant.name, () => {
        let server: TestServer;
        beforeAll(async () => {
          server = await start(variant);
        });
        afterAll(async () => {
          await server.close();
          expect(server.complaints).toEqual([]);
        });
        for (const size of [4096, 16, 1]) {
          it(`${variant.queries.length} requests in pieces of ${size}, unix and TCP`, async () => {
            expect(await replay(variant, server.path, size)).toEqual(expected(variant));
            expect(await replay(variant, server.tcp, size)).toEqual(expected(variant));
          });
        }
      });
    }
  });
}

replayAll("a store in memory, at once", ({ rules, policy, ...variant }) =>
  startTestServer({ store: new MemoryStore(populationOf(variant)), rules, policy }),
);

replayAll("a store in memory, later", ({ rules, policy, ...variant }) =>
  startTestServer({ store: new MemoryStore(populationOf(variant), { promises: true }), rules, policy }),
);

/** The original's own imapd.conf, with a store added. */
function startSqlite(
  variant: GoldenVariant,
  create: (path: string, population: Population) => void,
  options: Readonly<Record<string, string>>,
): Promise<TestServer> {
  const store = { smmap_store: "sqlite", sql_engine: "sqlite", sql_database: "mailboxes.db" };
  return startConfiguredServer({
    config: { ...variant.imapdConf, ...store, ...options },
    service: variant.service,
    prepare: (directory) => create(join(directory, "mailboxes.db"), populationOf(variant)),
  });
}

replayAll("the SQLite store, in its own schema", (variant) => startSqlite(variant, createNativePopulation, {}));

replayAll("the SQLite store, by a site's queries for :mailbox", (variant) =>
  startSqlite(variant, createInternalNamePopulation, internalNameOptions),
);

describe("a store that fails", () => {
  it.each(["down", "denied", "garbage"] as const)("%s: every mailbox is answered TEMP", async (fault) => {
    const variant = loadGolden("vd-userid");
    const recipients = new RecipientParser(variant.rules);
    const store = new MemoryStore(populationOf(variant), { promises: true });
    store.fault = fault;
    const server = await startTestServer({ store, rules: variant.rules, policy: variant.policy });
    try {
      const wanted = variant.queries.map(({ id, request, reply }) => {
        const parsed = parseRequest(request.subarray(request.indexOf(":") + 1, -1).toString("latin1"));
        // What no store is needed for is answered as ever.
        const needsStore = parsed !== null && recipients.parse(parsed.key).kind !== "none";
        const failed = encodeNetstring("TEMP Mailbox look-up failed, try again later");
        return { id, reply: needsStore ? failed : reply.toString("latin1") };
      });
      expect(await replay(variant, server.path, 4096)).toEqual(wanted);
      expect(wanted.filter(({ reply }) => reply.includes("TEMP")).length).toBeGreaterThan(300);
    } finally {
      await server.close();
    }
  });
});
