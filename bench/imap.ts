/**
 * What the imap store costs: look-ups a second through it, beside raw sockets that send the same commands to the same
 * Cyrus from the same process, connection for connection; what an absent mailbox costs, which takes another command to
 * confirm; and what many look-ups leave behind.
 *
 *     npm run --silent build && node --expose-gc dist/bench/imap.js [--record]
 *
 * --record writes the figures to bench/RESULTS-imap.md.
 */
import { readdirSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { cpus } from "node:os";
import type { Cyrus } from "../fixtures/servers/cyrus.ts";
import type { CyrusClient } from "../fixtures/servers/cyrus-client.ts";
import { openImapStore } from "../fixtures/servers/cyrus-store.ts";
import { Lookup } from "../src/store/lookup.ts";
import type { MailboxStore, UserMailbox } from "../src/store/store.ts";
import { startCyrus } from "./cyrus-mailboxes.ts";
import { userAt } from "./population.ts";

const USERS = 1000;
const ROUNDS = 15;
/** Milliseconds of one measurement. */
const DURATION = 500;
const CONNECTIONS = [1, 4, 8];
/** Look-ups after which memory and connections are looked at. */
const ENDURANCE = 100_000;

interface Round {
  /** Look-ups a second. */
  readonly store: number;
  readonly raw: number;
}

/** Asks one after the other in each of several lanes; how many were answered a second. */
async function measure(lanes: readonly ((user: string) => Promise<void>)[]): Promise<number> {
  const start = performance.now();
  let answered = 0;
  await Promise.all(
    lanes.map(async (ask, lane) => {
      for (let i = lane; performance.now() - start < DURATION; i += lanes.length) {
        await ask(userAt(i % USERS).name);
        answered++;
      }
    }),
  );
  return (answered * 1000) / (performance.now() - start);
}

function throughStore(store: MailboxStore): (user: string) => Promise<void> {
  return async (user) => {
    const mailbox: UserMailbox = { kind: "user", user, domain: null, folders: [], address: user, detail: null };
    const facts = await store.lookup(mailbox, new Lookup());
    if (!facts.exists) throw new Error(`${user} is said to be absent`);
  };
}

function throughSocket(client: CyrusClient): (user: string) => Promise<void> {
  return async (user) => {
    const untagged = await client.ok(`GETQUOTAROOT "user/${user}"`);
    if (untagged.length !== 2) throw new Error(`${user} has no quota: ${untagged}`);
  };
}

async function compare(cyrus: Cyrus, connections: number): Promise<Round[]> {
  const store = openImapStore(cyrus, { smmap_pool_size: `${connections}`, smmap_pool_max: `${connections}` });
  const clients = await Promise.all(Array.from({ length: connections }, () => cyrus.admin()));
  try {
    const rounds: Round[] = [];
    // The first round warms both up.
    for (let round = 0; round <= ROUNDS; round++) {
      const raw = await measure(clients.map(throughSocket));
      const through = await measure(clients.map(() => throughStore(store)));
      if (round > 0) rounds.push({ store: through, raw });
    }
    return rounds;
  } finally {
    await store.close();
    for (const client of clients) await client.close();
  }
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

interface AbsentRound {
  /** Look-ups a second of users that exist, and of others. */
  readonly present: number;
  readonly absent: number;
  /** Of others by GETQUOTAROOT alone, on a raw socket. */
  readonly unconfirmed: number;
}

async function compareAbsent(cyrus: Cyrus): Promise<AbsentRound[]> {
  const store = openImapStore(cyrus, { smmap_pool_size: "1" });
  const client = await cyrus.admin();
  const lookUpAbsent = async (user: string) => {
    const name = `no-${user}`;
    const mailbox: UserMailbox = { kind: "user", user: name, domain: null, folders: [], address: name, detail: null };
    if ((await store.lookup(mailbox, new Lookup())).exists) throw new Error(`${name} is said to exist`);
  };
  try {
    const rounds: AbsentRound[] = [];
    for (let round = 0; round <= ROUNDS; round++) {
      const present = await measure([throughStore(store)]);
      const absent = await measure([lookUpAbsent]);
      const unconfirmed = await measure([
        async (user) => void (await client.command(`GETQUOTAROOT "user/no-${user}"`)),
      ]);
      if (round > 0) rounds.push({ present, absent, unconfirmed });
    }
    return rounds;
  } finally {
    await store.close();
    await client.close();
  }
}

interface Footprint {
  /** Octets. */
  readonly heap: number;
  readonly rss: number;
  readonly descriptors: number;
}

function footprint(): Footprint {
  globalThis.gc?.();
  const { heapUsed, rss } = process.memoryUsage();
  return { heap: heapUsed, rss, descriptors: readdirSync("/proc/self/fd").length };
}

/** Before and after many look-ups. */
async function endure(cyrus: Cyrus): Promise<{ before: Footprint; after: Footprint; connections: number }> {
  const store = openImapStore(cyrus, { smmap_pool_size: "4", smmap_pool_max: "4" });
  const ask = throughStore(store);
  const lookUp = async (count: number) => {
    let asked = 0;
    const lanes = Array.from({ length: 16 }, async () => {
      while (asked < count) await ask(userAt(asked++ % USERS).name);
    });
    await Promise.all(lanes);
  };
  try {
    await lookUp(ENDURANCE / 10);
    const before = footprint();
    await lookUp(ENDURANCE);
    return { before, after: footprint(), connections: (await cyrus.busyImapds()).length };
  } finally {
    await store.close();
  }
}

function mebibytes(octets: number): string {
  return (octets / 2 ** 20).toFixed(1);
}

const cyrus = await startCyrus(USERS);
try {
  const lines = [
    "## The imap store",
    "",
    `Node.js ${process.version}, ${cpus().length} processors, Cyrus IMAP of Debian on the same machine, no TLS. One`,
    `GETQUOTAROOT a look-up, medians of ${ROUNDS} rounds; the ratio is taken round by round.`,
    "",
    "| connections | look-ups/s, store | look-ups/s, raw sockets | ratio |",
    "| ----------: | ----------------: | ----------------------: | ----: |",
  ];
  for (const connections of CONNECTIONS) {
    const rounds = await compare(cyrus, connections);
    const store = median(rounds.map((round) => round.store)).toFixed(0);
    const raw = median(rounds.map((round) => round.raw)).toFixed(0);
    const ratio = median(rounds.map((round) => round.store / round.raw)).toFixed(2);
    lines.push(`| ${connections} | ${store} | ${raw} | ${ratio} |`);
  }
  const rounds = await compareAbsent(cyrus);
  const rate = (of: (round: AbsentRound) => number) => median(rounds.map(of)).toFixed(0);
  const ratio = median(rounds.map(({ absent, present }) => absent / present)).toFixed(2);
  lines.push(
    "",
    `One connection, one look-up at a time: ${rate(({ present }) => present)} users that exist a second, and`,
    `${rate(({ absent }) => absent)} that do not, whose absence GETACL confirms (ratio ${ratio}). GETQUOTAROOT alone on a raw`,
    `socket, as much as an absence took before: ${rate(({ unconfirmed }) => unconfirmed)}.`,
  );
  const { before, after, connections } = await endure(cyrus);
  lines.push(
    "",
    `${ENDURANCE} look-ups through 4 connections: heap ${mebibytes(before.heap)} MiB before and ${mebibytes(after.heap)} MiB`,
    `after, resident set ${mebibytes(before.rss)} and ${mebibytes(after.rss)} MiB, open files ${before.descriptors} and`,
    `${after.descriptors}; ${connections} connections at the server.`,
  );
  const text = `${lines.join("\n")}\n`;
  process.stdout.write(text);
  if (process.argv.includes("--record")) await writeFile("bench/RESULTS-imap.md", text);
} finally {
  await cyrus.stop();
}
