/** `npm run bench`: the daemon beside a bare Node server and the original, interleaved. bench/README.md says how. */
import { mkdir, mkdtemp } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { bench, say, tell } from "./bench.ts";
import { mailboxDatabase } from "./database.ts";
import { type LoadOptions, measure, measureIdle } from "./load.ts";
import { original } from "./original.ts";
import { type KeyFiles, type KeyOrder, keyOrders, writeQuestions } from "./population.ts";
import { absoluteTable, type IdleSample, idleTable, machine, ratioTable, type Sample } from "./report.ts";
import { type Candidate, daemon, LIMIT_REPLY, limit, plain, type Server, sqliteConf } from "./servers.ts";

const MAILBOXES = 1_000_000;
/** The original's are made one by one over IMAP, each with a directory: a million of them would take an hour. */
const ORIGINAL_MAILBOXES = 5_000;
/** Seconds before each measurement. */
const WARM_UP = 0.5;
/** Seconds in which a server gets used to what it is asked, before the first round. */
const GETTING_USED = 3;
/** Questions by which each round begins later than the one before. */
const FIRST_LINE_STEP = 190_000;

const { values: options } = parseArgs({
  options: {
    rounds: { type: "string", default: "5" },
    seconds: { type: "string", default: "1.5" },
    cases: {
      type: "string",
      default: "32x1,32x1-ranked,32x1-known,32x1@10000,1x1,8x1,32x16,32x16-known,32xchurn,32xchurn-ranked",
    },
    record: { type: "boolean", default: false },
  },
});

/** Of a server that is measured. */
interface Contestant {
  readonly candidate: Candidate;
  readonly keys: KeyFiles;
}

/** How to load a server. */
interface Case extends Required<Pick<LoadOptions, "connections" | "depth">>, Pick<LoadOptions, "rate"> {
  readonly order: KeyOrder;
}

/**
 * "32x16" is 32 connections with 16 requests in flight, "32xchurn" opens one for each request, with "32x1@10000" 10,000
 * requests a second fall due; "-ranked", "-known" see KeyOrder.
 */
function parseCase(text: string): Case {
  const shape = /^(\d+)x(\d+|churn)(?:@(\d+))?(?:-(ranked|known))?$/;
  const [, connections, depth, rate, order = "even"] = shape.exec(text) ?? [];
  if (connections === undefined) {
    throw new Error(
      `--cases: ${text} is neither CONNECTIONSxDEPTH nor CONNECTIONSxchurn, perhaps with @RATE, -ranked or -known behind`,
    );
  }
  return {
    connections: Number(connections),
    depth: depth === "churn" ? depth : Number(depth),
    ...(rate === undefined ? {} : { rate: Number(rate) }),
    order: order as KeyOrder,
  };
}

/** A site asks in one way or in the other, and a server may get used to it: each order has servers of its own. */
function casesByOrder(): readonly (readonly string[])[] {
  const all = options.cases.split(",");
  const ofOrder = (order: KeyOrder) => all.filter((load) => parseCase(load).order === order);
  return keyOrders.map(ofOrder).filter((cases) => cases.length > 0);
}

async function contestants(folder: string): Promise<Contestant[]> {
  const keysFor = async (name: string, users: number, constant?: string) => {
    const place = join(folder, `keys-${name}`);
    await mkdir(place);
    return await writeQuestions(place, users, constant);
  };
  const database = await mailboxDatabase(MAILBOXES);
  const ours = await daemon("smmapd", folder, sqliteConf(database));
  const keys = await keysFor("smmapd", MAILBOXES);
  const found: Contestant[] = [
    { candidate: ours, keys },
    { candidate: plain(folder, database), keys },
    { candidate: limit(folder), keys: await keysFor("limit", MAILBOXES, LIMIT_REPLY) },
  ];
  try {
    const theirs = await original(await mkdtemp(join(folder, "cyrus-")), ORIGINAL_MAILBOXES);
    found.push({ candidate: theirs, keys: await keysFor("original", ORIGINAL_MAILBOXES) });
  } catch (error) {
    say(`The original is left out: ${error instanceof Error ? error.message : error}`);
  }
  return found;
}

/** @param round counted from 0; a server that remembers what it was asked in the one before has nothing of it */
function loadOf(load: string, server: Server, keys: KeyFiles, round: number): Omit<LoadOptions, "until"> {
  const { order, ...shape } = parseCase(load);
  return { server, questions: keys[order], firstLine: round * FIRST_LINE_STEP, warmUp: WARM_UP, ...shape };
}

async function measureLoads(
  servers: readonly (readonly [Server, KeyFiles])[],
  cases: readonly string[],
  rounds: number,
): Promise<Sample[]> {
  const [first = ""] = cases;
  for (const [server, keys] of servers) {
    await measure({ ...loadOf(first, server, keys, rounds), until: { seconds: GETTING_USED } });
  }
  const seconds = Number(options.seconds);
  const samples: Sample[] = [];
  for (let round = 0; round < rounds; round++) {
    for (const load of cases) {
      for (const [server, keys] of servers) {
        const measurement = await measure({ ...loadOf(load, server, keys, round), until: { seconds } });
        samples.push({ round, load, server: server.name, measurement });
        const { perSecond, cpuPerRequest } = measurement;
        const counted = `${round + 1}/${rounds} ${load} ${server.name}`;
        say(`${counted}: ${perSecond.toFixed(0)}/s, ${cpuPerRequest.toFixed(1)} us CPU`);
      }
    }
  }
  return samples;
}

/** Each time in a fresh process: one that has once served many connections has room for the next ones. */
async function measureIdling(contestants: readonly Contestant[], rounds: number): Promise<IdleSample[]> {
  const samples: IdleSample[] = [];
  for (let round = 1; round <= rounds; round++) {
    for (const { candidate, keys } of contestants) {
      const server = await candidate.start();
      try {
        const measurement = await measureIdle(server, keys.even, candidate.idleConnections);
        samples.push({ server: server.name, measurement });
      } finally {
        await server.stop();
      }
    }
  }
  return samples;
}

async function main(folder: string): Promise<void> {
  const servers: Server[] = [];
  const stop = async () => {
    for (const server of servers.splice(0)) await server.stop();
  };
  try {
    const measured = await contestants(folder);
    const rounds = Number(options.rounds);
    const samples: Sample[] = [];
    for (const cases of casesByOrder()) {
      const loaded: [Server, KeyFiles][] = [];
      for (const { candidate, keys } of measured) {
        const server = await candidate.start();
        servers.push(server);
        loaded.push([server, keys]);
      }
      samples.push(...(await measureLoads(loaded, cases, rounds)));
      await stop();
    }
    await report(samples, await measureIdling(measured, rounds));
  } finally {
    await stop();
  }
}

async function report(samples: readonly Sample[], idle: readonly IdleSample[]): Promise<void> {
  const text = `# Results of \`npm run bench\`

${machine()}; medians of ${options.rounds} rounds of
${options.seconds} s. ${MAILBOXES} mailboxes in SQLite, ${ORIGINAL_MAILBOXES} in the original. Every reply was checked. A case is connections x requests in
flight; "churn" is a connection for each request; with "@10000" that number of requests per second falls due, and latency
counts from then. Keys are chosen evenly, "ranked" by 1/rank, "known" 100000 repeatedly.

## smmapd relative to the others

${ratioTable(samples)}

## Absolute figures, of one machine on one day

${absoluteTable(samples)}

${idleTable(idle)}
`;
  await tell(text, options.record ? "RESULTS.md" : null);
}

await bench("bench", main);
