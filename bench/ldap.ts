/**
 * What the ldap store costs: look-ups a second on one connection to a slapd with 100,000 entries, one at a time and 64
 * at once, in turns; and what many look-ups leave behind.
 *
 *     npm run --silent build && node --expose-gc dist/bench/ldap.js [--record]
 *
 * --record writes the figures to bench/RESULTS-ldap.md.
 */
import { readdirSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { cpus, loadavg } from "node:os";
import { openLdapStore } from "../fixtures/servers/ldap-store.ts";
import { Lookup } from "../src/store/lookup.ts";
import type { MailboxStore, UserMailbox } from "../src/store/store.ts";
import { directoryConf, startDirectory } from "./directory.ts";
import { DOMAIN, userAt } from "./population.ts";

const ENTRIES = 100_000;
const CONCURRENT = 64;
const ROUNDS = 5;
/** Milliseconds of one measurement. */
const DURATION = 2_000;
/** Look-ups after which memory and open files are looked at. */
const ENDURANCE = 100_000;

interface Measurement {
  /** Look-ups a second. */
  readonly rate: number;
  /** Microseconds of our processor time for each. */
  readonly cpu: number;
  /** Milliseconds, the 50th and the 99th of 100. */
  readonly p50: number;
  readonly p99: number;
}

/** Asks for entries all over the directory; every hundredth is not there, or none is. */
async function ask(store: MailboxStore, i: number, kind: "known" | "unknown" = "known"): Promise<void> {
  const isThere = kind === "known" && i % 100 !== 0;
  const user = isThere ? userAt((i * 7919) % ENTRIES).name : `nobody${i}`;
  const address = `${user}@${DOMAIN}`;
  const mailbox: UserMailbox = { kind: "user", user, domain: DOMAIN, folders: [], address, detail: null };
  const facts = await store.lookup(mailbox, new Lookup());
  if (facts.exists !== isThere) throw new Error(`${address}: ${JSON.stringify(facts)}`);
}

async function measure(store: MailboxStore, lanes: number, kind: "known" | "unknown" = "known"): Promise<Measurement> {
  const times: number[] = [];
  const cpuBefore = process.cpuUsage();
  const start = performance.now();
  await Promise.all(
    Array.from({ length: lanes }, async (_, lane) => {
      for (let i = lane + 1; ; i += lanes) {
        const since = performance.now();
        if (since - start > DURATION) return;
        await ask(store, i, kind);
        times.push(performance.now() - since);
      }
    }),
  );
  const elapsed = performance.now() - start;
  const { user, system } = process.cpuUsage(cpuBefore);
  times.sort((a, b) => a - b);
  const percentile = (share: number) => times[Math.floor(times.length * share)] ?? Number.NaN;
  return {
    rate: (times.length * 1000) / elapsed,
    cpu: (user + system) / times.length,
    p50: percentile(0.5),
    p99: percentile(0.99),
  };
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

function row(name: string, measurements: readonly Measurement[]): string {
  const of = (key: keyof Measurement, digits: number) => median(measurements.map((one) => one[key])).toFixed(digits);
  return `| ${name} | ${of("rate", 0)} | ${of("p50", 2)} ms | ${of("p99", 2)} ms | ${of("cpu", 0)} us |`;
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

async function lookUp(store: MailboxStore, count: number): Promise<void> {
  let asked = 0;
  const lane = async () => {
    while (asked < count) await ask(store, ++asked);
  };
  await Promise.all(Array.from({ length: CONCURRENT }, lane));
}

function mebibytes(octets: number): string {
  return (octets / 2 ** 20).toFixed(1);
}

const [busy = 0] = loadavg();
const slapd = await startDirectory(ENTRIES);
try {
  const store = openLdapStore({ ...directoryConf(slapd), smmap_pool_size: "1" });
  const alone: Measurement[] = [];
  const together: Measurement[] = [];
  const unknownAlone: Measurement[] = [];
  const unknownTogether: Measurement[] = [];
  // The first round warms up.
  for (let round = 0; round <= ROUNDS; round++) {
    const pair = [await measure(store, 1), await measure(store, CONCURRENT)] as const;
    if (round === 0) continue;
    alone.push(pair[0]);
    together.push(pair[1]);
    unknownAlone.push(await measure(store, 1, "unknown"));
    unknownTogether.push(await measure(store, CONCURRENT, "unknown"));
  }
  // As many beforehand, for the heap to find its size.
  await lookUp(store, ENDURANCE);
  const before = footprint();
  await lookUp(store, ENDURANCE);
  const after = footprint();
  await store.close();
  const ratio = median(together.map(({ rate }, i) => rate / (alone[i]?.rate ?? Number.NaN)));
  const lines = [
    "## The ldap store",
    "",
    `Node.js ${process.version}, ${cpus().length} processors, Debian's slapd on the same machine with ${ENTRIES} entries and an index on`,
    `mail, one connection without TLS, one search a look-up, and once a second those that confirm absent answers. Medians`,
    `of ${ROUNDS} rounds. Load average of the machine before it began: ${busy.toFixed(1)}.`,
    "",
    "| | look-ups/s | p50 | p99 | our CPU each |",
    "| --- | ---: | ---: | ---: | ---: |",
    row("one at a time", alone),
    row(`${CONCURRENT} at once`, together),
    row("unknown names, one at a time", unknownAlone),
    row(`unknown names, ${CONCURRENT} at once`, unknownTogether),
    "",
    `Ratio, taken round by round: ${ratio.toFixed(2)}.`,
    "",
    `${ENDURANCE} look-ups: heap ${mebibytes(before.heap)} MiB before and ${mebibytes(after.heap)} MiB after, resident set`,
    `${mebibytes(before.rss)} and ${mebibytes(after.rss)} MiB, open files ${before.descriptors} and ${after.descriptors}.`,
  ];
  const text = `${lines.join("\n")}\n`;
  process.stdout.write(text);
  if (process.argv.includes("--record")) await writeFile("bench/RESULTS-ldap.md", text);
} finally {
  await slapd.close();
}
