/** The load generator, load.c: compiled when first wanted, run once for every figure. */
import { execFile } from "node:child_process";
import { mkdir } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { Server } from "./servers.ts";

const run = promisify(execFile);
// From dist/bench, where this file runs, to bench, where the C files are.
const folder = fileURLToPath(new URL("../../bench/", import.meta.url));
const program = `${folder}bin/load`;

/** How to load a server: so many connections with so many requests in flight, or one request a connection. */
export interface Case {
  readonly connections: number;
  readonly depth: number | "churn";
}

/** What load.c prints. Times in microseconds, processor shares in processors, memory in octets. */
export interface Measurement {
  readonly requests: number;
  readonly perSecond: number;
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
  readonly mismatches: number;
  readonly cpuPerRequest: number;
  readonly serverCpu: number;
  readonly generatorCpu: number;
  readonly otherCpu: number;
  readonly processes: number;
  readonly pss: number;
  readonly rss: number;
}

/** What idle connections add to a server's memory, in octets. */
export interface IdleMeasurement {
  readonly connections: number;
  readonly mismatches: number;
  readonly pssPerConnection: number;
  readonly rssPerConnection: number;
  readonly processes: number;
}

export async function buildLoad(): Promise<void> {
  await mkdir(`${folder}bin`, { recursive: true });
  const sources = ["load.c", "processes.c"].map((name) => folder + name);
  try {
    await run("cc", ["-std=gnu17", "-O2", "-Wall", "-Wextra", "-o", program, ...sources]);
  } catch (cause) {
    const missing = (cause as NodeJS.ErrnoException).code === "ENOENT";
    const advice = missing
      ? "there is no C compiler: install one as cc (Debian: apt-get install gcc libc6-dev)"
      : cause;
    throw new Error(`the load generator cannot be compiled: ${advice}`, { cause });
  }
}

export async function measure(server: Server, load: Case, seconds: number): Promise<Measurement> {
  const depth = load.depth === "churn" ? ["-C"] : ["-p", String(load.depth)];
  const time = ["-w", String(Math.min(1, seconds / 2)), "-t", String(seconds)];
  return (await runLoad(server, ["-c", String(load.connections), ...depth, ...time])) as Measurement;
}

export async function measureIdle(server: Server, connections: number): Promise<IdleMeasurement> {
  return (await runLoad(server, ["-I", String(connections)])) as IdleMeasurement;
}

async function runLoad(server: Server, options: readonly string[]): Promise<unknown> {
  const about = ["-s", server.endpoint, "-P", String(server.pid), "-k", server.questions];
  const { stdout, stderr } = await run(program, [...about, ...options]);
  const result = JSON.parse(stdout) as { mismatches: number };
  if (result.mismatches > 0) throw new Error(`${server.name}: ${result.mismatches} wrong replies\n${stderr}`);
  return result;
}
