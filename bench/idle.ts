/**
 * `npm run bench:idle`: what 10,000 connections cost that have asked once and are silent, and what 100 active ones notice
 * of them; with SQLite.
 *
 *     npm run bench:idle -- [--record] [--idle 10000] [--active 100] [--seconds 10]
 */
import { parseArgs } from "node:util";
import { SocketmapClient } from "../fixtures/socketmap-client.ts";
import { openFilesMax } from "../src/daemon/fd-limit.ts";
import { bench, tell } from "./bench.ts";
import { mailboxDatabase } from "./database.ts";
import { type Measurement, measure, measureIdle } from "./load.ts";
import { DOMAIN, userAt, writeQuestions } from "./population.ts";
import { machine, table } from "./report.ts";
import { type Candidate, daemon, type Server, sqliteConf } from "./servers.ts";

const { values: options } = parseArgs({
  options: {
    idle: { type: "string", default: "10000" },
    active: { type: "string", default: "100" },
    seconds: { type: "string", default: "10" },
    record: { type: "boolean", default: false },
  },
});

const MAILBOXES = 1_000_000;
const IDLE = Number(options.idle);
const ACTIVE = Number(options.active);
/** Connections that are opened or asked at a time. */
const AT_A_TIME = 100;
/** Open files of a process beyond its connections, and connections that may wait. */
const SPARE_FILES = 1_500;
/** Octets of an idle connection. */
const GOAL = 10 * 1024;

/** The daemon inherits the limit of open files, and cannot raise it. */
function checkOpenFiles(): void {
  const needed = IDLE + ACTIVE + SPARE_FILES;
  if (openFilesMax() >= needed) return;
  throw new Error(`the limit of open files is ${openFilesMax()} (ulimit -Hn), and ${needed} are needed`);
}

/** Opens so many connections and asks on each: whoever only connects is faster than anybody can accept. */
async function openIdle(server: Server): Promise<SocketmapClient[]> {
  const clients: SocketmapClient[] = [];
  while (clients.length < IDLE) {
    const count = Math.min(AT_A_TIME, IDLE - clients.length);
    const opened = Array.from({ length: count }, () => SocketmapClient.connect(server.endpoint));
    clients.push(...(await Promise.all(opened)));
    await askOn(clients.slice(-count));
  }
  return clients;
}

async function askAgain(clients: readonly SocketmapClient[]): Promise<void> {
  for (let first = 0; first < clients.length; first += AT_A_TIME) await askOn(clients.slice(first, first + AT_A_TIME));
}

/** Asks on each connection, and waits for all replies. */
async function askOn(clients: readonly SocketmapClient[]): Promise<void> {
  const asking = clients.map(async (client, i) => {
    // Of twenty users the eighth is over quota.
    const key = `${userAt(i * 20).name}@${DOMAIN}`;
    const reply = await client.ask(key);
    if (reply !== `OK ${key}`) throw new Error(`an idle connection was told ${reply}`);
  });
  await Promise.all(asking);
}

interface Findings {
  /** Without idle connections, and with them. */
  readonly alone: Measurement;
  readonly among: Measurement;
  /** Octets of an idle connection. */
  readonly pss: number;
}

async function examine(candidate: Candidate, questions: string): Promise<Findings> {
  const memory = await serveWith(candidate, (server) => measureIdle(server, questions, IDLE));
  return await serveWith(candidate, async (server) => {
    const load = { server, questions, connections: ACTIVE, warmUp: 1, until: { seconds: Number(options.seconds) } };
    const alone = await measure(load);
    const clients = await openIdle(server);
    const among = await measure(load);
    await askAgain(clients);
    for (const client of clients) client.close();
    return { alone, among, pss: memory.pssPerConnection };
  });
}

async function serveWith<T>(candidate: Candidate, work: (server: Server) => Promise<T>): Promise<T> {
  const server = await candidate.start();
  try {
    return await work(server);
  } finally {
    await server.stop();
  }
}

function report({ alone, among, pss }: Findings): string {
  const row = (what: string, { perSecond, cpuPerRequest, p50, p99, p999, otherCpu }: Measurement) => [
    what,
    perSecond.toFixed(0),
    cpuPerRequest.toFixed(1),
    ...[p50, p99, p999].map((time) => time.toFixed(0)),
    otherCpu.toFixed(2),
  ];
  const head = [`${ACTIVE} active`, "requests/s", "CPU us/request", "p50 us", "p99 us", "p99.9 us", "others' CPU"];
  return `# Results of \`npm run bench:idle\`

${machine()}. ${MAILBOXES} mailboxes in SQLite; ${ACTIVE} connections with one request in flight each, ${options.seconds} s. Every reply
was checked, those of the idle connections before and after.

${table(head, [row("alone", alone), row(`among ${IDLE} idle`, among)])}

An idle connection takes ${(pss / 1024).toFixed(1)} KiB (${pss <= GOAL ? "the goal is" : "and should take no more than"} ${GOAL / 1024} KiB).
`;
}

async function main(folder: string): Promise<void> {
  checkOpenFiles();
  const { even } = await writeQuestions(folder, MAILBOXES);
  const room = { smmap_connections_max: String(IDLE + ACTIVE + 1) };
  const conf = { ...sqliteConf(await mailboxDatabase(MAILBOXES)), ...room };
  const results = report(await examine(await daemon("smmapd", folder, conf), even));
  await tell(results, options.record ? "RESULTS-idle.md" : null);
}

await bench("idle", main);
