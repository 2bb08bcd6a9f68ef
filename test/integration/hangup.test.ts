/**
 * SIGHUP to a child of master(8), at any time from its start to its exit: the child drains and exits with status 0. Master
 * logs any other exit as a failure, and disables the service after five in a row. Children are started as by master.
 */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { chownSync, closeSync, openSync, readFileSync } from "node:fs";
import { createServer } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { afterEach, beforeEach, expect, it } from "vitest";
import { DaemonFolder, program } from "../../fixtures/daemon.ts";
import { findAccount } from "../../fixtures/servers/cyrus-programs.ts";
import { SocketmapClient } from "../../fixtures/socketmap-client.ts";

/** Number of children per test. */
const STARTS = process.env.NIGHTLY === "1" ? 60 : 6;
const CONCURRENCY = 4;
/** Bit of SIGHUP in the masks of /proc/PID/status. */
const SIGHUP = 1n;

let folder: DaemonFolder;
const running = new Set<ChildProcess>();

beforeEach(async () => {
  folder = new DaemonFolder();
  folder.configure("smmap_log_format: text");
  const { uid } = (await findAccount()).credentials;
  if (uid !== undefined) chownSync(folder.path, uid, -1);
});

afterEach(async () => {
  for (const child of running) child.kill("SIGKILL");
  folder.remove();
});

/** A child of master, as seen from outside. */
class Child {
  readonly #process: ChildProcess;
  readonly #socket: string;
  readonly exited: Promise<string>;
  isGone = false;

  constructor(process: ChildProcess, socket: string, exited: Promise<string>) {
    this.#process = process;
    this.#socket = socket;
    this.exited = exited.then((how) => {
      this.isGone = true;
      return how;
    });
  }

  hangUp(): void {
    this.#process.kill("SIGHUP");
  }

  /** Resolves when the shell handles SIGHUP. An earlier signal kills a child of any program, the original included. */
  async begins(): Promise<void> {
    await this.#until(() => catches(this.#process.pid));
  }

  /** Resolves when the shell has started Node.js. */
  async startsNode(): Promise<void> {
    await this.#until(() => this.#node !== null);
  }

  /** Resolves when Node.js handles SIGHUP. */
  async handles(): Promise<void> {
    await this.#until(() => catches(this.#node));
  }

  /** Connects, and waits until the child has answered a request. */
  async connect(): Promise<SocketmapClient> {
    for (;;) {
      const client = await SocketmapClient.connect(this.#socket);
      try {
        expect(await client.ask("fred")).toBe("OK fred");
        return client;
      } catch {
        // The process of the test may have accepted the connection.
        client.close();
      }
    }
  }

  get #node(): number | null {
    const { pid } = this.#process;
    const [child] = read(`/proc/${pid}/task/${pid}/children`).split(" ");
    // Before that, the shell runs other programs to find its folder.
    return child && read(`/proc/${child}/cmdline`).startsWith("node\0") ? Number(child) : null;
  }

  async #until(condition: () => boolean): Promise<void> {
    while (!condition() && !this.isGone) await delay(1);
  }
}

function catches(pid: number | null | undefined): boolean {
  const mask = /^SigCgt:\s*([0-9a-f]+)$/m.exec(read(`/proc/${pid}/status`))?.[1] ?? "0";
  return (BigInt(`0x${mask}`) & SIGHUP) !== 0n;
}

function read(path: string): string {
  try {
    return readFileSync(path, "latin1");
  } catch {
    // The process has exited.
    return "";
  }
}

/** Runs a child. @returns its exit status or signal */
async function runChild(n: number, options: readonly string[], run: (child: Child) => Promise<void>): Promise<string> {
  const { credentials } = await findAccount();
  const [messages, socket] = [folder.at(`messages${n}`), folder.at(`socket${n}`)];
  execFileSync("mkfifo", [messages]);
  const pipe = openSync(messages, "r+");
  const listener = createServer((client) => client.destroy()).listen(socket);
  await once(listener, "listening");
  const { fd } = (listener as unknown as { readonly _handle: { readonly fd: number } })._handle;
  const child = spawn(program, ["-C", folder.configFile, ...options], {
    env: { PATH: process.env.PATH, CYRUS_SERVICE: "smmap", CYRUS_ID: "0" },
    stdio: ["ignore", "ignore", "inherit", pipe, fd],
    ...credentials,
  });
  running.add(child);
  const exited = once(child, "exit").then(([status, signal]) => signal ?? `status ${status}`);
  const seen = new Child(child, socket, exited);
  try {
    await run(seen);
    return await seen.exited;
  } finally {
    running.delete(child);
    listener.close();
    closeSync(pipe);
  }
}

/** Counts the exit statuses of a number of children. @param run is called with the number of the child */
async function ends(
  options: readonly string[],
  run: (child: Child, n: number) => Promise<void>,
): Promise<Readonly<Record<string, number>>> {
  const counts: Record<string, number> = {};
  let next = 0;
  const line = async () => {
    for (let n = next++; n < STARTS; n = next++) {
      const end = await runChild(n, options, (child) => run(child, n));
      counts[end] = (counts[end] ?? 0) + 1;
    }
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, line));
  return counts;
}

const well = { "status 0": STARTS };

it("SIGHUP as soon as the shell handles it ends a child with status 0", async () => {
  const found = await ends([], async (child) => {
    await child.begins();
    child.hangUp();
  });
  expect(found).toEqual(well);
});

it("SIGHUP while Node.js starts ends a child with status 0", async () => {
  const found = await ends([], async (child, n) => {
    await child.startsNode();
    await delay(n * 5);
    child.hangUp();
  });
  expect(found).toEqual(well);
});

it("SIGHUP as Node.js begins to handle it ends a child with status 0", async () => {
  const found = await ends([], async (child) => {
    await child.handles();
    child.hangUp();
  });
  expect(found).toEqual(well);
});

it("SIGHUP to a serving child ends it with status 0", async () => {
  const found = await ends([], async (child) => {
    const client = await child.connect();
    child.hangUp();
    client.close();
  });
  expect(found).toEqual(well);
});

it("SIGHUP to a child that is about to exit leaves its status 0", async () => {
  const found = await ends(["-U", "1"], async (child, n) => {
    const client = await child.connect();
    client.close();
    await delay(n * 3);
    child.hangUp();
  });
  expect(found).toEqual(well);
});

it("repeated SIGHUP, from start to exit, ends a child with status 0", async () => {
  const found = await ends([], async (child) => {
    await child.begins();
    while (!child.isGone) {
      child.hangUp();
      await delay(1);
    }
  });
  expect(found).toEqual(well);
});
