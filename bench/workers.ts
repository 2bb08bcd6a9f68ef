/**
 * `npm run bench:workers`: two processes on the same socket (smmap_workers) beside one.
 *
 *     npm run bench:workers -- [--record] [--rounds 5] [--seconds 2]
 */
import { readFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { bench, say, tell } from "./bench.ts";
import { mailboxDatabase } from "./database.ts";
import { type LoadOptions, type Measurement, measure } from "./load.ts";
import { writeQuestions, writeUsers } from "./population.ts";
import { machine, median, table } from "./report.ts";
import { type Conf, daemon, type Server, sqliteConf } from "./servers.ts";

const { values: options } = parseArgs({
  options: {
    rounds: { type: "string", default: "5" },
    seconds: { type: "string", default: "2" },
    record: { type: "boolean", default: false },
  },
});

const MAILBOXES = 1_000_000;
const WORKERS = 2;
const rounds = Number(options.rounds);

/** A store, and how it is asked. */
interface Case extends Pick<LoadOptions, "questions" | "connections" | "depth"> {
  readonly name: string;
  readonly store: "sqlite" | "thinking";
}

interface Sample extends Measurement {
  /** Of the processor time of all processes, the part of the busiest: 1 / their number where they share evenly. */
  readonly busiest: number;
}

/** One and several processes, measured one after the other. */
interface Round {
  readonly load: Case;
  readonly one: Sample;
  readonly several: Sample;
}

/** Clock ticks of processor time of a process and of each that it has started. */
function timesOf(pid: number): number[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "latin1").trim();
  return [pid, ...(children === "" ? [] : children.split(" "))].map((member) => {
    const stat = readFileSync(`/proc/${member}/stat`, "latin1");
    const [user, system] = stat.slice(stat.lastIndexOf(")")).split(" ").slice(12, 14);
    return Number(user) + Number(system);
  });
}

async function sample(server: Server, load: Case): Promise<Sample> {
  const before = timesOf(server.pid);
  const { questions, connections, depth = 1 } = load;
  const seconds = Number(options.seconds);
  const measured = await measure({ server, questions, connections, depth, warmUp: 0.5, until: { seconds } });
  const spent = timesOf(server.pid).map((time, i) => time - (before[i] ?? 0));
  return { ...measured, busiest: Math.max(...spent) / spent.reduce((sum, time) => sum + time, 0) };
}

/** Resolves when all processes of a daemon are up and serve. */
async function settled(server: Server, count: number, questions: string): Promise<void> {
  do {
    await measure({ server, questions, connections: 8, until: { seconds: 0.5 } });
  } while (timesOf(server.pid).length < count);
}

async function measureAll(conf: Readonly<Record<Case["store"], Conf>>, cases: readonly Case[], folder: string) {
  const found: Round[] = [];
  for (const store of ["sqlite", "thinking"] as const) {
    const loads = cases.filter((load) => load.store === store);
    const servers: Server[] = [];
    try {
      for (const count of [1, WORKERS]) {
        const candidate = await daemon(`${store}${count}`, folder, { ...conf[store], smmap_workers: `${count}` });
        const server = await candidate.start();
        servers.push(server);
        await settled(server, count, loads[0]?.questions ?? "");
      }
      const [one, several] = servers as [Server, Server];
      for (let round = 1; round <= rounds; round++) {
        for (const load of loads) {
          const pair = { load, one: await sample(one, load), several: await sample(several, load) };
          found.push(pair);
          const ratio = pair.several.perSecond / pair.one.perSecond;
          say(
            `${round}/${rounds} ${load.name}: ${pair.one.perSecond.toFixed(0)}/s, with ${WORKERS} ${ratio.toFixed(2)} x`,
          );
        }
      }
    } finally {
      for (const server of servers) await server.stop();
    }
  }
  return found;
}

function report(found: readonly Round[], cases: readonly Case[]): string {
  const rows = cases.map((load) => {
    const rounds = found.filter((round) => round.load === load);
    const mid = (figure: (round: Round) => number) => median(rounds.map(figure));
    return [
      load.name,
      mid(({ one }) => one.perSecond).toFixed(0),
      mid(({ several }) => several.perSecond).toFixed(0),
      `${mid(({ one, several }) => several.perSecond / one.perSecond).toFixed(2)} x`,
      `${mid(({ one, several }) => (WORKERS * one.cpuPerRequest) / several.cpuPerRequest).toFixed(2)} x`,
      mid(({ one }) => one.cpuPerRequest).toFixed(1),
      mid(({ several }) => several.cpuPerRequest).toFixed(1),
      mid(({ several }) => several.busiest).toFixed(2),
      mid(({ several }) => several.generatorCpu).toFixed(2),
      mid(({ several }) => several.otherCpu).toFixed(2),
    ];
  });
  const head = [
    "case",
    "1: requests/s",
    "2: requests/s",
    "2 : 1",
    "by CPU",
    "1: CPU us",
    "2: CPU us",
    "busiest",
    "generator's CPU",
    "others' CPU",
  ];
  return `# Results of \`npm run bench:workers\`

${machine()}; ${WORKERS} processes compared with one, medians of ${rounds} rounds of ${options.seconds} s, ratios
taken round by round. Every reply was checked.

"2 : 1" is the ratio measured on this machine, where the load generator needs processors too. "by CPU" is the ratio that the
processor time of a request allows if ${WORKERS} are free: ${WORKERS} times that of one process divided by that of ${WORKERS}. "busiest" is the share
of the busier process; 0.50 is even. The thinking store computes for 100 us per look-up.

${table(head, rows)}
`;
}

async function main(folder: string): Promise<void> {
  await mkdir(join(folder, "keys"));
  const { even } = await writeQuestions(join(folder, "keys"), MAILBOXES);
  const users = join(folder, "users.keys");
  await writeUsers(users, 1000);
  const cases: Case[] = [
    { name: "sqlite, 32x1", store: "sqlite", questions: even, connections: 32, depth: 1 },
    { name: "sqlite, 32x16", store: "sqlite", questions: even, connections: 32, depth: 16 },
    { name: "thinking, 32x1", store: "thinking", questions: users, connections: 32, depth: 1 },
  ];
  const thinking = fileURLToPath(new URL("thinking-store.js", import.meta.url));
  const conf = { sqlite: sqliteConf(await mailboxDatabase(MAILBOXES)), thinking: { smmap_store: thinking } };
  await tell(report(await measureAll(conf, cases, folder), cases), options.record ? "RESULTS-workers.md" : null);
}

await bench("workers", main);
