/**
 * Live connections to the daemon, in a process of its own, under any input: kept inputs first, then generated ones.
 * Whatever comes in, each complete request has its one reply, in order, and a fault has one reply and ends the
 * connection. The process stays right, and small.
 *
 * An input that ever broke something is kept in corpus/connection.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import { Daemon, DaemonFolder } from "../../fixtures/daemon.ts";
import { SocketmapClient } from "../../fixtures/socketmap-client.ts";
import { encodeNetstring } from "../../src/engine/netstring.ts";
import { hex, inProportion, runs, seed, timeout, tryAll } from "./campaign.ts";
import { REQUEST_MAX, repliesTo } from "./socketmap-reference.ts";
import { anyInput, anyStream, type Input } from "./socketmap-streams.ts";

/** Connections that are open at a time. */
const CLIENTS = 16;
/** Mebibytes. The daemon has 60 or so without any work; what is collected only now and then comes on top. */
const MEMORY_MAX = 200;
const GROWTH_MAX = 40;

const corpus = new URL("corpus/connection/", import.meta.url).pathname;
const store = fileURLToPath(new URL("../../dist/fixtures/variable-latency-store.js", import.meta.url));
const folder = new DaemonFolder();
let daemon: Daemon;
let witness: SocketmapClient;

beforeAll(async () => {
  folder.configure(`smmap_store: ${store}
smmap_request_max: ${REQUEST_MAX}
smmap_cache_size: 0
virtdomains: userid
defaultdomain: village.example
`);
  daemon = await Daemon.start(folder);
  witness = await SocketmapClient.connect(folder.socket);
});
afterEach(askWitness);
afterAll(async () => {
  witness.close();
  daemon.signal("SIGTERM");
  // Only when every connection is gone.
  expect(await daemon.exited).toEqual({ status: 0, signal: null });
  expect(daemon.text).not.toMatch(/: (?:error|emerg|alert|crit)|exception/i);
  folder.remove();
});

/** A connection that lasts from the first input to the last one. */
async function askWitness(): Promise<void> {
  expect(await witness.askAll(["anna@village.example", "dora@village.example", "nobody@village.example"])).toEqual([
    "OK anna@village.example",
    "TEMP Over quota",
    "NOTFOUND Mailbox does not exist",
  ]);
}

/** Sends a stream in pieces and ends it. Rejects where anything but the right replies comes back. */
async function converse({ stream, sizes }: Input): Promise<void> {
  const client = await SocketmapClient.connect(folder.socket);
  try {
    let rest = stream;
    for (const size of sizes) {
      await client.send(rest.slice(0, size));
      rest = rest.slice(size);
    }
    await client.send(rest);
    client.halfClose();
    const replies = (await client.receiveAll()).toString("latin1");
    if (replies === repliesTo(stream)) return;
    throw new Error(`to ${hex(stream)} in pieces of ${sizes}: ${hex(replies)} and not ${hex(repliesTo(stream))}`);
  } finally {
    client.close();
  }
}

/** Memory of the daemon in MiB: now, and at its highest. */
function memory(): { readonly now: number; readonly highest: number } {
  const status = readFileSync(`/proc/${daemon.pid}/status`, "utf8");
  const read = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(status)?.[1]) / 1024;
  return { now: read("VmRSS"), highest: read("VmHWM") };
}

it.each(readdirSync(corpus).sort())("kept input: %s", async (name) => {
  const stream = readFileSync(join(corpus, name)).toString("latin1");
  await converse({ stream, sizes: [] });
  await converse({ stream, sizes: Array.from({ length: Math.min(stream.length, 500) }, () => 1) });
});

it(`${runs} generated inputs, each in pieces`, { timeout }, async ({ annotate }) => {
  const before = memory();
  let warm = before;
  await tryAll({
    inputs: anyInput,
    count: runs,
    lanes: Array.from({ length: CLIENTS }, (_, client) => client),
    attempt: converse,
    async afterBatch(done) {
      await askWitness();
      if (done <= runs / 5) warm = memory();
    },
  });
  const after = memory();
  await annotate(`MiB: ${[before.now, warm.now, after.now, after.highest].map(Math.round).join(", ")}`);
  expect(after.highest).toBeLessThan(MEMORY_MAX);
  expect(after.now - warm.now).toBeLessThan(GROWTH_MAX);
});

it("clients that vanish in the middle leave nothing behind", { timeout }, async () => {
  let clients = 0;
  await fc.assert(
    fc.asyncProperty(anyStream, async (stream) => {
      // No more of them than the system keeps for the daemon to accept: who is answered was accepted last.
      if (++clients % 100 === 0) await converse({ stream: encodeNetstring("cyrus anna@village.example"), sizes: [] });
      const client = await SocketmapClient.connect(folder.socket);
      await client.send(stream);
      client.close();
    }),
    { numRuns: inProportion(500), seed },
  );
});

it("clients that ask and never read take little memory", async () => {
  const requests = Buffer.from(encodeNetstring("cyrus anna@village.example").repeat(200_000));
  const measure = async () => {
    const clients = await Promise.all(Array.from({ length: 30 }, () => SocketmapClient.connect(folder.socket)));
    for (const client of clients) {
      client.pause();
      void client.send(requests);
    }
    // Each round trip of another client takes some ticks of the daemon's event loop.
    for (let round = 0; round < 300; round++) await askWitness();
    const measured = memory();
    for (const client of clients) client.close();
    return measured;
  };
  // Compiled code and the heap's own reserve come with the first such load, whatever the clients do.
  const before = await measure();
  const after = await measure();
  expect(after.highest).toBeLessThan(MEMORY_MAX);
  expect(after.now - before.now).toBeLessThan(GROWTH_MAX);
});

it("the inputs reach what they are for", () => {
  const replies = fc.sample(anyStream, { numRuns: 2000, seed }).map(repliesTo).join("");
  const seen = [
    "OK anna",
    "NOTFOUND",
    "TEMP Over quota",
    "PERM Permission denied",
    "(missing key)",
    "(missing length)",
    "(missing terminator)",
    "(request size doesn't match length)",
  ];
  expect(seen.filter((words) => !replies.includes(words))).toEqual([]);
});
