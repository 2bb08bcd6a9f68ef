/** What was recorded about framing: one connection a case, each octet that comes back, and whether the server closes. */
import { setImmediate as nextTurn } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { loadGolden, type ProtocolCase, populationOf } from "../../fixtures/golden.ts";
import { protocolDifferences } from "../../fixtures/known-differences.ts";
import { MemoryStore } from "../../fixtures/memory-store.ts";
import { SocketmapClient } from "../../fixtures/socketmap-client.ts";
import { startTestServer, type TestServer } from "../../fixtures/test-server.ts";

const variant = loadGolden("protocol");
let server: TestServer;

beforeAll(async () => {
  const store = new MemoryStore(populationOf(variant), { promises: true });
  server = await startTestServer({ store, rules: variant.rules, policy: variant.policy });
});
afterAll(async () => {
  await server.close();
  expect(server.complaints).toEqual([]);
});

const oneMore = ["10:cyrus fred,", "7:OK fred,"] as const;
/** A request that still lacks three octets and its comma, and the reply once it has them. */
const completion = ["abc,", "31:NOTFOUND Mailbox does not exist,"] as const;

function isShort({ id }: ProtocolCase): boolean {
  return id === "protocol-length-too-long";
}

/** Does what the recorded client did. A recorded pause is a turn for the server. */
async function play(client: SocketmapClient, { steps }: ProtocolCase): Promise<void> {
  for (const step of steps) {
    if (step.kind === "send") await client.send(step.bytes);
    else if (step.kind === "half-close") client.halfClose();
    else await nextTurn();
  }
}

describe.each(["unix", "TCP"])("over %s", (kind) => {
  const address = () => (kind === "unix" ? server.path : server.tcp);

  it.each(variant.protocolCases.map((recorded) => [recorded.id, recorded] as const))("%s", async (id, recorded) => {
    const difference = protocolDifferences.get(id);
    const reply = difference?.reply ?? recorded.reply.toString("latin1");
    const closes = difference?.closes ?? recorded.closed;
    const [more, last] = isShort(recorded) ? completion : oneMore;
    const client = await SocketmapClient.connect(address());
    try {
      await play(client, recorded);
      // An open connection shows itself by serving, and what it serves comes behind all that was owed before.
      if (!closes) {
        await client.send(more);
        client.halfClose();
      }
      expect((await client.receiveAll()).toString("latin1")).toBe(reply + (closes ? "" : last));
    } finally {
      client.close();
    }
  });
});

it("every known difference differs from its recorded case", () => {
  const cases = new Map(variant.protocolCases.map((recorded) => [recorded.id, recorded]));
  for (const [id, { reply, closes }] of protocolDifferences) {
    const recorded = cases.get(id);
    expect(recorded, id).toBeDefined();
    expect({ id, reply, closes }).not.toEqual({
      id,
      reply: recorded?.reply.toString("latin1"),
      closes: recorded?.closed,
    });
  }
});

it("no golden case departs but after a wrong terminator, where we close", () => {
  const golden = variant.protocolCases.filter((recorded) => recorded.class === "golden").map(({ id }) => id);
  expect(golden.length).toBeGreaterThan(40);
  expect(golden.filter((id) => protocolDifferences.has(id))).toEqual([
    "protocol-bad-terminator",
    "protocol-bad-terminator-newline",
  ]);
});
