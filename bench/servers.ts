/** What is measured, as processes of its own; each answers on a unix socket. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { userInfo } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { DOMAIN, writeQuestions } from "./population.ts";

export interface Server {
  readonly name: string;
  /** Path of the socket. */
  readonly endpoint: string;
  readonly pid: number;
  /** Path of the key file. */
  readonly questions: string;
  stop(): Promise<void>;
}

/** A server that can be started, one at a time. */
export interface Candidate {
  readonly name: string;
  /** How many connections are held idle when their memory is measured. */
  readonly idleConnections: number;
  start(): Promise<Server>;
}

/** Our daemon on a SQLite file. */
export async function daemon(folder: string, database: string, users: number): Promise<Candidate> {
  const endpoint = join(folder, "socket", "smmap");
  const questions = join(folder, "daemon.keys");
  const conf = join(folder, "imapd.conf");
  await writeQuestions(questions, users);
  // The control socket's place.
  await mkdir(join(folder, "socket"));
  await writeFile(
    conf,
    `configdirectory: ${folder}
virtdomains: userid
defaultdomain: ${DOMAIN}
smmap_store: sqlite
smmap_user: ${userInfo().username}
sql_database: ${database}
smmap_listen: ${endpoint}
`,
  );
  const main = fileURLToPath(new URL("../src/main.js", import.meta.url));
  return candidate({ name: "smmapd", endpoint, questions }, process.execPath, [main, "-C", conf]);
}

/** A bare Node server that answers a constant: what no server on Node can beat. */
export async function limit(folder: string, users: number): Promise<Candidate> {
  const reply = "OK user@example.org";
  const endpoint = join(folder, "limit.sock");
  const questions = join(folder, "limit.keys");
  await writeQuestions(questions, users, reply);
  const script = fileURLToPath(new URL("limit.js", import.meta.url));
  return candidate({ name: "bare Node", endpoint, questions }, process.execPath, [script, endpoint, reply]);
}

function candidate(
  about: Pick<Server, "name" | "endpoint" | "questions">,
  program: string,
  args: readonly string[],
): Candidate {
  return {
    name: about.name,
    idleConnections: 1000,
    async start() {
      await rm(about.endpoint, { force: true });
      // What it says while it works, such as that anybody may use its socket, is of no interest here.
      const child = spawn(program, args, { stdio: ["ignore", "ignore", "pipe"] });
      let said = "";
      child.stderr.on("data", (chunk) => {
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
