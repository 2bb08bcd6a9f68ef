/**
 * `npm run bench:attack`: what real users notice while unknown names, never the same twice, are asked for from 50
 * connections as fast as the daemon answers; with SQLite, with a directory and with Cyrus, which fall silent in the end.
 *
 *     npm run bench:attack -- [--record] [--stores sqlite,ldap,imap] [--sqlite-names 5000000] [--ldap-names 500000]
 *                             [--imap-names 50000] [--depth 1]
 */
import { readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { imapConf } from "../fixtures/servers/cyrus-store.ts";
import { bench, say, tell } from "./bench.ts";
import { startCyrus } from "./cyrus-mailboxes.ts";
import { mailboxDatabase } from "./database.ts";
import { directoryConf, startDirectory } from "./directory.ts";
import { type LoadOptions, type Measurement, measure, startLoad } from "./load.ts";
import { DOMAIN, writeUsers } from "./population.ts";
import { machine, table } from "./report.ts";
import { type Conf, daemon, type Server, sqliteConf } from "./servers.ts";

const { values: options } = parseArgs({
  options: {
    stores: { type: "string", default: "sqlite,ldap,imap" },
    "sqlite-names": { type: "string", default: "5000000" },
    "ldap-names": { type: "string", default: "500000" },
    "imap-names": { type: "string", default: "50000" },
    /** Requests in flight on each of the attack's connections. */
    depth: { type: "string", default: "1" },
    record: { type: "boolean", default: false },
  },
});

const MAILBOXES = 1_000_000;
/** slapd takes a minute to load a million; Cyrus' mailboxes are made one by one. */
const ENTRIES = 100_000;
const CYRUS_MAILBOXES = 1_000;
const ATTACKERS = 50;
/** Real users, and how mail for them comes in: so many connections, and in all so many requests a second. */
const USERS = { count: 100, connections: 10, rate: 200 };
/** Seconds without the attack; and of silence: longer than anything is remembered by default. */
const CALM = 10;
const SILENCE = 25;
/** Octets that the attack may add. */
const MEMORY_MAX = 96 * 2 ** 20;

/** What a site would set that wants mail taken while its store is away. */
const STALE: Conf = { smmap_cache_stale_ttl: "1h" };

const unknown = `nobody#@${DOMAIN}`;
const absent = "NOTFOUND Mailbox does not exist";
const failures = [
  "TEMP Mailbox look-up failed, try again later",
  "TIMEOUT Mailbox look-up took too long, try again later",
];

/** A store under attack. */
interface Target {
  readonly name: string;
  readonly conf: Conf;
  /** Unknown names. */
  readonly names: number;
  /** Milliseconds of the users' p99 that are always good enough. */
  readonly grace: number;
  /** Suspends the server of the store, if it has one. */
  readonly hang?: () => Promise<void>;
}

interface Outcome {
  readonly target: Target;
  /** Of the real users. */
  readonly calm: Measurement;
  readonly attacked: Measurement;
  readonly hung: Measurement | null;
  /** Of the attack. */
  readonly attack: Measurement;
  /** Octets. */
  readonly memory: { readonly before: number; readonly most: number; readonly after: number };
}

/** Proportional set size of a process, octets. */
function memoryOf(pid: number): number {
  const [, kibibytes = "0"] = /^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, "latin1")) ?? [];
  return Number(kibibytes) * 1024;
}

class Attack {
  readonly #server: Server;
  readonly #users: Pick<LoadOptions, "server" | "questions" | "connections" | "rate">;
  readonly #folder: string;

  private constructor(server: Server, folder: string, questions: string) {
    this.#server = server;
    this.#folder = folder;
    this.#users = { server, questions, connections: USERS.connections, rate: USERS.rate };
  }

  static async prepare(server: Server, folder: string): Promise<Attack> {
    const questions = join(folder, `${server.name}-users.keys`);
    await writeUsers(questions, USERS.count);
    return new Attack(server, folder, questions);
  }

  /** The users alone. */
  calm(): Promise<Measurement> {
    return measure({ ...this.#users, warmUp: 3, until: { seconds: CALM } });
  }

  /** The users beside unknown names. @param replies that these may get */
  async attacked(replies: readonly string[], until: LoadOptions["until"]) {
    const { pid } = this.#server;
    const questions = join(this.#folder, `${this.#server.name}-unknown.keys`);
    await writeFile(questions, `${[unknown, ...replies].join("\t")}\n`);
    const before = memoryOf(pid);
    let most = before;
    const watch = setInterval(() => {
      most = Math.max(most, memoryOf(pid));
    }, 250);
    const server = this.#server;
    const depth = Number(options.depth);
    const attack = startLoad({ server, questions, isNumbered: true, connections: ATTACKERS, depth, until });
    const users = startLoad({ ...this.#users, until: { seconds: 3600 } });
    try {
      const [attackResult, usersResult] = await Promise.all([attack.result.finally(users.stop), users.result]);
      return { attack: attackResult, users: usersResult, memory: { before, most, after: memoryOf(pid) } };
    } finally {
      clearInterval(watch);
      attack.stop();
      users.stop();
    }
  }
}

async function attackOn(target: Target, folder: string): Promise<Outcome> {
  const candidate = await daemon(target.name, folder, target.conf);
  const server = await candidate.start();
  try {
    const attack = await Attack.prepare(server, folder);
    const calm = await attack.calm();
    say(`${target.name}, users alone: p99 ${calm.p99.toFixed(0)} us`);
    const attacked = await attack.attacked([absent], { requests: target.names });
    say(`${target.name}, users among ${target.names} unknown names: p99 ${attacked.users.p99.toFixed(0)} us`);
    let hung: Measurement | null = null;
    if (target.hang !== undefined) {
      await target.hang();
      hung = (await attack.attacked(failures, { seconds: SILENCE })).users;
      say(`${target.name}, users while the store is silent: p99 ${hung.p99.toFixed(0)} us`);
    }
    return { target, calm, attacked: attacked.users, hung, attack: attacked.attack, memory: attacked.memory };
  } finally {
    await server.stop();
  }
}

function report(outcomes: readonly Outcome[]): string {
  const milliseconds = (microseconds: number) => (microseconds / 1000).toFixed(2);
  const mebibytes = (octets: number) => (octets / 2 ** 20).toFixed(1);
  const latencies = outcomes.flatMap(({ target, calm, attacked, hung }) => {
    const bound = Math.max(2 * calm.p99, target.grace * 1000);
    const row = (when: string, { requests, p50, p99, p999, otherCpu }: Measurement, limit: string) => {
      return [target.name, when, `${requests}`, ...[p50, p99, p999].map(milliseconds), limit, otherCpu.toFixed(2)];
    };
    return [
      row("alone", calm, ""),
      row("under attack", attacked, milliseconds(bound)),
      ...(hung === null ? [] : [row("store suspended", hung, "")]),
    ];
  });
  const attacks = outcomes.map(({ target, attack, memory: { before, most, after } }) => [
    target.name,
    `${attack.requests}`,
    attack.perSecond.toFixed(0),
    attack.cpuPerRequest.toFixed(1),
    ...[before, most, after, most - before].map(mebibytes),
    mebibytes(MEMORY_MAX),
  ]);
  return `# Results of \`npm run bench:attack\`

${machine()}. ${ATTACKERS} connections request unknown names, each once, ${options.depth} in flight on each.
Meanwhile ${USERS.count} real users are requested on ${USERS.connections} other connections, ${USERS.rate} times per second; latency counts from
when the request falls due. Every reply was checked: \`OK\` for the users at all times, also while the store is suspended,
and \`NOTFOUND\` for the unknown names, then \`TEMP\` or \`TIMEOUT\`. ${MAILBOXES} mailboxes in SQLite, ${ENTRIES} in slapd,
${CYRUS_MAILBOXES} in Cyrus. A user's answer is cached for the default of 15 seconds, so one request in 30 is a miss.

## Real users

${table(["store", "", "requests", "p50 ms", "p99 ms", "p99.9 ms", "p99 may be", "others' CPU"], latencies)}

## Unknown names

${table(["store", "names", "a second", "CPU us each", "PSS MiB before", "most", "after", "more", "may be"], attacks)}
`;
}

/** How each store is attacked, once its server is there. */
const attacks: Readonly<Record<string, (folder: string) => Promise<Outcome>>> = {
  async sqlite(folder) {
    const conf = sqliteConf(await mailboxDatabase(MAILBOXES));
    return await attackOn({ name: "sqlite", conf, names: Number(options["sqlite-names"]), grace: 3 }, folder);
  },
  async ldap(folder) {
    const slapd = await startDirectory(ENTRIES);
    try {
      const conf = { ...directoryConf(slapd), ...STALE };
      const hang = () => slapd.hang();
      return await attackOn({ name: "ldap", conf, names: Number(options["ldap-names"]), grace: 10, hang }, folder);
    } finally {
      await slapd.close();
    }
  },
  async imap(folder) {
    const cyrus = await startCyrus(CYRUS_MAILBOXES);
    try {
      const conf = { ...imapConf(cyrus), ...STALE };
      const hang = () => cyrus.suspend();
      return await attackOn({ name: "imap", conf, names: Number(options["imap-names"]), grace: 10, hang }, folder);
    } finally {
      await cyrus.stop();
    }
  },
};

async function main(folder: string): Promise<void> {
  const outcomes: Outcome[] = [];
  for (const store of options.stores.split(",")) {
    const attack = attacks[store];
    if (attack === undefined) throw new Error(`--stores: ${store} is none of ${Object.keys(attacks).join(", ")}`);
    outcomes.push(await attack(folder));
  }
  await tell(report(outcomes), options.record ? "RESULTS-attack.md" : null);
}

await bench("attack", main);
