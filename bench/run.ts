/** `npm run bench`: the daemon beside a bare Node server and the original, interleaved. bench/README.md says how. */
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { cpus, release } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { mailboxDatabase } from "./database.ts";
import { buildLoad, type Case, measure, measureIdle } from "./load.ts";
import { original } from "./original.ts";
import { absoluteTable, type IdleSample, idleTable, ratioTable, type Sample } from "./report.ts";
import { type Candidate, daemon, limit, type Server } from "./servers.ts";

const MAILBOXES = 1_000_000;
/** The original's are made one by one over IMAP, each with a directory: a million of them would take an hour. */
const ORIGINAL_MAILBOXES = 5_000;

const { values: options } = parseArgs({
  options: {
    rounds: { type: "string", default: "5" },
    seconds: { type: "string", default: "2" },
    cases: { type: "string", default: "32x1,1x1,8x1,32x16,32xchurn" },
    record: { type: "boolean", default: false },
  },
});

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** "32x16" is 32 connections with 16 requests in flight; "32xchurn" opens one for each request. */
function parseCase(text: string): Case {
  const [, connections, depth] = /^(\d+)x(\d+|churn)$/.exec(text) ?? [];
  if (connections === undefined) throw new Error(`--cases: ${text} is neither CONNECTIONSxDEPTH nor CONNECTIONSxchurn`);
  return { connections: Number(connections), depth: depth === "churn" ? depth : Number(depth) };
}

async function candidates(folder: string): Promise<Candidate[]> {
  const found = [await daemon(folder, await mailboxDatabase(MAILBOXES), MAILBOXES), await limit(folder, MAILBOXES)];
  try {
    found.push(await original(await mkdtemp(join(folder, "cyrus-")), ORIGINAL_MAILBOXES));
  } catch (error) {
    say(`The original is left out: ${error instanceof Error ? error.message : error}`);
  }
  return found;
}

async function measureLoads(servers: readonly Server[], rounds: number): Promise<Sample[]> {
  const samples: Sample[] = [];
  for (let round = 1; round <= rounds; round++) {
    for (const load of options.cases.split(",")) {
      for (const server of servers) {
        const measurement = await measure(server, parseCase(load), Number(options.seconds));
        samples.push({ round, load, server: server.name, measurement });
        const { perSecond, cpuPerRequest } = measurement;
        say(`${round}/${rounds} ${load} ${server.name}: ${perSecond.toFixed(0)}/s, ${cpuPerRequest.toFixed(1)} us CPU`);
      }
    }
  }
  return samples;
}

/** Each time in a fresh process: one that has once served many connections has room for the next ones. */
async function measureIdling(candidates: readonly Candidate[], rounds: number): Promise<IdleSample[]> {
  const samples: IdleSample[] = [];
  for (let round = 1; round <= rounds; round++) {
    for (const candidate of candidates) {
      const server = await candidate.start();
      try {
        samples.push({ server: server.name, measurement: await measureIdle(server, candidate.idleConnections) });
      } finally {
        await server.stop();
      }
    }
  }
  return samples;
}

async function main(): Promise<void> {
  await buildLoad();
  const folder = await mkdtemp("/dev/shm/smmapd-bench-");
  await chmod(folder, 0o755);
  const servers: Server[] = [];
  const cleanUp = async () => {
    for (const server of servers.splice(0)) await server.stop();
    await rm(folder, { recursive: true, force: true });
  };
  process.once("SIGINT", () => void cleanUp().finally(() => process.exit(130)));
  try {
    const measured = await candidates(folder);
    for (const candidate of measured) servers.push(await candidate.start());
    const rounds = Number(options.rounds);
    const samples = await measureLoads(servers, rounds);
    for (const server of servers.splice(0)) await server.stop();
    await report(samples, await measureIdling(measured, rounds));
  } finally {
    await cleanUp();
  }
}

async function report(samples: readonly Sample[], idle: readonly IdleSample[]): Promise<void> {
  const [first] = cpus();
  const text = `# Results of \`npm run bench\`

Node ${process.version}, Linux ${release()}, ${cpus().length} processors (${first?.model}); medians of ${options.rounds} rounds of
${options.seconds} s. ${MAILBOXES} mailboxes in SQLite, ${ORIGINAL_MAILBOXES} in the original. Every reply was checked. A case is connections x requests in
flight; "churn" is a connection for each request.

## Our daemon in terms of the others

${ratioTable(samples)}

## Absolute figures, of that machine on that day

${absoluteTable(samples)}

${idleTable(idle)}
`;
  say(`\n${text}`);
  if (options.record) await writeFile(fileURLToPath(new URL("../../bench/RESULTS.md", import.meta.url)), text);
}

try {
  await main();
} catch (error) {
  process.stderr.write(`bench: ${error instanceof Error ? error.message : error}\n`);
  process.exitCode = 1;
}
