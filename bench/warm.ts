/**
 * `npm run bench:warm`: the daemon with LDAP and with IMAP, all that is asked for being in its cache, beside the same
 * daemon with a store in its own memory and no cache. The servers behind are stopped meanwhile, so nothing else answers.
 *
 *     npm run bench:warm -- [--record] [--rounds 7] [--seconds 2]
 */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import type { Cyrus } from "../fixtures/servers/cyrus.ts";
import { imapConf } from "../fixtures/servers/cyrus-store.ts";
import { bench, say, tell } from "./bench.ts";
import { startCyrus } from "./cyrus-mailboxes.ts";
import { directoryConf, startDirectory } from "./directory.ts";
import { measure } from "./load.ts";
import { writeUsers } from "./population.ts";
import { absoluteTable, machine, ratioTable, type Sample } from "./report.ts";
import { type Conf, daemon, type Server } from "./servers.ts";

const { values: options } = parseArgs({
  options: {
    rounds: { type: "string", default: "7" },
    seconds: { type: "string", default: "2" },
    record: { type: "boolean", default: false },
  },
});

/** Fewer than are remembered by default. */
const USERS = 2_000;
/** Of those, who may get mail. */
const ASKED = 1_000;
const CONNECTIONS = 32;

/** imapd.conf by the name of the server. */
function configurations(slapd: Parameters<typeof directoryConf>[0], cyrus: Cyrus): Readonly<Record<string, Conf>> {
  const kept: Conf = { smmap_cache_ttl: "1h", smmap_cache_quota_ttl: "1h" };
  const module = fileURLToPath(new URL("memory-adapter.js", import.meta.url));
  return {
    ldap: { ...directoryConf(slapd), ...kept },
    imap: { ...imapConf(cyrus), ...kept },
    "in memory": { smmap_store: module, smmap_memory_users: `${USERS}`, smmap_cache_size: "0" },
  };
}

async function measureAll(servers: readonly Server[], questions: string): Promise<Sample[]> {
  const seconds = Number(options.seconds);
  const rounds = Number(options.rounds);
  const samples: Sample[] = [];
  for (let round = 1; round <= rounds; round++) {
    for (const server of servers) {
      const load = { server, questions, connections: CONNECTIONS, warmUp: 0.5, until: { seconds } };
      const measurement = await measure(load);
      samples.push({ round, load: `${CONNECTIONS}x1`, server: server.name, measurement });
      const { perSecond, cpuPerRequest } = measurement;
      say(`${round}/${rounds} ${server.name}: ${perSecond.toFixed(0)}/s, ${cpuPerRequest.toFixed(1)} us CPU`);
    }
  }
  return samples;
}

function report(samples: readonly Sample[]): string {
  const others = samples.filter(({ server }) => server !== "imap");
  const ratios = [others, samples.filter(({ server }) => server !== "ldap")].map(ratioTable);
  return `# Results of \`npm run bench:warm\`

${machine()}; medians of ${options.rounds} rounds of ${options.seconds} s, ratios taken round by round. ${ASKED} users,
each with a quota, all in the cache. slapd and Cyrus were suspended meanwhile. Every reply was checked.

## LDAP relative to a store in memory

${ratios[0]}

## IMAP relative to a store in memory

${ratios[1]}

## Absolute figures, of one machine on one day

${absoluteTable(samples)}
`;
}

async function main(folder: string): Promise<void> {
  const slapd = await startDirectory(USERS);
  const cyrus = await startCyrus(USERS);
  const servers: Server[] = [];
  try {
    const questions = join(folder, "users.keys");
    await writeUsers(questions, ASKED);
    for (const [name, conf] of Object.entries(configurations(slapd, cyrus))) {
      const candidate = await daemon(name.replace(" ", "-"), folder, conf);
      const server = { ...(await candidate.start()), name };
      servers.push(server);
      await measure({ server, questions, connections: CONNECTIONS, until: { requests: ASKED } });
    }
    await slapd.hang();
    await cyrus.suspend();
    await tell(report(await measureAll(servers, questions)), options.record ? "RESULTS-warm.md" : null);
  } finally {
    for (const server of servers) await server.stop();
    await cyrus.stop();
    await slapd.close();
  }
}

await bench("warm", main);
