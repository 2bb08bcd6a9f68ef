/** What is measured, as processes of its own; each answers on a unix socket. */
import { type ChildProcess, type SpawnOptions, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { userInfo } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { DOMAIN } from "./population.ts";

export interface Server {
  readonly name: string;
  /** Path of the socket. */
  readonly endpoint: string;
  readonly pid: number;
  stop(): Promise<void>;
}

/** A server that can be started, one at a time. */
export interface Candidate {
  readonly name: string;
  /** How many connections are held idle when their memory is measured. */
  readonly idleConnections: number;
  start(): Promise<Server>;
}

const running = new Set<ChildProcess>();
process.once("exit", () => {
  for (const child of running) child.kill();
});

/**
 * Starts a server in a session of its own, as init would. Linux shares processors among sessions first, and then among the
 * processes of each (kernel.sched_autogroup_enabled): in the same one as the load, 32 busy processes would leave it the
 * 33rd part, and what is measured would be how long they keep it from asking. It ends with us at the latest.
 */
export function startServer(file: string, args: readonly string[], options: SpawnOptions): ChildProcess {
  const child = spawn(file, args, { ...options, detached: true });
  running.add(child);
  child.once("exit", () => running.delete(child));
  return child;
}

/** Lines of imapd.conf. */
export type Conf = Readonly<Record<string, string>>;

/** imapd.conf of a daemon on a SQLite file by our own schema. */
export function sqliteConf(database: string): Conf {
  return { smmap_store: "sqlite", sql_database: database };
}

/**
 * Our daemon, in a folder of its own below `folder`.
 * @param conf what it says of the store, and whatever differs from the defaults
 */
export async function daemon(name: string, folder: string, conf: Conf): Promise<Candidate> {
  const home = join(folder, name);
  const endpoint = join(home, "socket", "smmap");
  // The control socket's place.
  await mkdir(join(home, "socket"), { recursive: true });
  const lines: Conf = {
    configdirectory: home,
    virtdomains: "userid",
    defaultdomain: DOMAIN,
    smmap_user: userInfo().username,
    smmap_listen: endpoint,
    ...conf,
  };
  const file = join(home, "imapd.conf");
  const text = Object.entries(lines).map(([key, value]) => `${key}: ${value}\n`);
  await writeFile(file, text.join(""), { mode: 0o600 });
  const main = fileURLToPath(new URL("../src/main.js", import.meta.url));
  return candidate({ name, endpoint }, [main, "-C", file]);
}

/** What the bare Node server answers. */
export const LIMIT_REPLY = "OK user@example.org";

/** A bare Node server that answers a constant: what no server on Node can beat. */
export function limit(folder: string): Candidate {
  const endpoint = join(folder, "limit.sock");
  const script = fileURLToPath(new URL("limit.js", import.meta.url));
  return candidate({ name: "bare Node", endpoint }, [script, endpoint, LIMIT_REPLY]);
}

/** A plain server with a look-up in the same file: what one gets without taking pains. */
export function plain(folder: string, database: string): Candidate {
  const endpoint = join(folder, "plain.sock");
  const script = fileURLToPath(new URL("plain.js", import.meta.url));
  return candidate({ name: "plain", endpoint }, [script, endpoint, database]);
}

/** A Node program that listens on the endpoint. */
function candidate(about: Pick<Server, "name" | "endpoint">, args: readonly string[]): Candidate {
  return {
    name: about.name,
    idleConnections: 1000,
    async start() {
      await rm(about.endpoint, { force: true });
      // What it says while it works, such as that anybody may use its socket, is of no interest here.
      const child = startServer(process.execPath, args, { stdio: ["ignore", "ignore", "pipe"] });
      let said = "";
      child.stderr?.on("data", (chunk) => {
        said += chunk;
      });
      try {
        return { ...about, pid: await listening(child, about.endpoint), stop: () => end(child) };
      } catch (cause) {
        throw new Error(`${about.name} does not start: ${said}`, { cause });
      }
    },
  };
}

/** Waits until a connection is accepted; gives the pid. */
export async function listening(child: ChildProcess, endpoint: string): Promise<number> {
  const deadline = performance.now() + 30_000;
  // A program that is not there has no pid either.
  child.once("error", () => {});
  while (!(await accepts(endpoint))) {
    if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) {
      throw new Error(`${child.spawnfile} ended before it listened`);
    }
    if (performance.now() > deadline) {
      await end(child);
      throw new Error(`${child.spawnfile} does not listen on ${endpoint}`);
    }
    await delay(20);
  }
  return child.pid ?? 0;
}

async function accepts(endpoint: string): Promise<boolean> {
  const socket = connect(endpoint);
  try {
    await once(socket, "connect");
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

export async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, "exit");
  child.kill("SIGTERM");
  await ended;
}
