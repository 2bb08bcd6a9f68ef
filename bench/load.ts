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

/** How load.c is run: its options, by their meaning. */
export interface LoadOptions {
  readonly server: Pick<Server, "name" | "endpoint" | "pid">;
  /** Path of the key file. */
  readonly questions: string;
  /** Line of it to begin with. */
  readonly firstLine?: number;
  /** Whether "#" in a key stands for a number that never comes twice. */
  readonly isNumbered?: boolean;
  readonly connections: number;
  /** 1 where it is left out. */
  readonly depth?: number | "churn";
  /** Requests a second that fall due; left out, the next one is sent when a reply is in. */
  readonly rate?: number;
  /** Seconds beforehand. */
  readonly warmUp?: number;
  /** How long: so many seconds, or so many requests. */
  readonly until: { readonly seconds: number } | { readonly requests: number };
}

/** A load that has begun. */
export interface RunningLoad {
  /** Rejects where a reply was wrong or there was none. */
  readonly result: Promise<Measurement>;
  /** Ends it before its time; it gives what it has measured. */
  stop(): void;
}

export function startLoad(options: LoadOptions): RunningLoad {
  const { connections, depth = 1, rate, warmUp = 0, until, firstLine = 0, isNumbered = false } = options;
  const running = runLoad(options, [
    ...["-f", String(firstLine), "-c", String(connections), "-w", String(warmUp)],
    ...(isNumbered ? ["-u"] : []),
    ...(depth === "churn" ? ["-C"] : ["-p", String(depth)]),
    ...(rate === undefined ? [] : ["-R", String(rate)]),
    ...("seconds" in until ? ["-t", String(until.seconds)] : ["-n", String(until.requests)]),
  ]);
  return { result: running.result as Promise<Measurement>, stop: running.stop };
}

export async function measure(options: LoadOptions): Promise<Measurement> {
  return await startLoad(options).result;
}

/** @param questions path of a key file */
export async function measureIdle(server: Server, questions: string, connections: number): Promise<IdleMeasurement> {
  return (await runLoad({ server, questions }, ["-I", String(connections)]).result) as IdleMeasurement;
}

function runLoad({ server, questions }: Pick<LoadOptions, "server" | "questions">, options: readonly string[]) {
  const about = ["-s", server.endpoint, "-P", String(server.pid), "-k", questions];
  const running = run(program, [...about, ...options]);
  const judge = async () => {
    const { stdout, stderr } = await running;
    const result = JSON.parse(stdout) as { mismatches: number };
    if (result.mismatches > 0) throw new Error(`${server.name}: ${result.mismatches} wrong replies\n${stderr}`);
    return result;
  };
  return { result: judge(), stop: () => void running.child.kill("SIGTERM") };
}
