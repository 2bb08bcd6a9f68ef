/** The log on the different kinds of standard error. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { SyslogServer } from "../../fixtures/servers/syslog.ts";

/** Logs a number of lines at once, then writes a file, closes the log, and writes the result to another file. */
const program = `
  import { renameSync, writeFileSync } from "node:fs";
  import { ProcessLog } from "${new URL("../../dist/src/log/log.js", import.meta.url)}";
  const { pid, stderr, env } = process;
  const options = { place: env.PLACE ?? null, ident: "smmap", facility: 2, lowest: "info" };
  const log = new ProcessLog(options, { pid, stderr, env });
  const say = (file, text) => {
    writeFileSync(file + ".new", text);
    renameSync(file + ".new", file);
  };
  for (let i = 0; i < Number(env.LINES); i++) {
    log.notice("message " + i);
    if (i % 1000 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  say("logged", "");
  const isTold = await log.close();
  say("closed", String(isTold));
  if (!isTold) process.exit(0);
`;

let directory: string;
const children: ChildProcess[] = [];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "smmapd-stderr-"));
});

afterEach(async () => {
  for (const child of children.splice(0)) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    const exited = once(child, "exit");
    child.kill("SIGKILL");
    await exited;
  }
  rmSync(directory, { recursive: true });
});

const node = [process.execPath, "--input-type=module", "-e", program] as const;

function run(
  command: readonly string[],
  stderr: "pipe" | "ignore" | Socket,
  env: Readonly<Record<string, string>> = {},
): ChildProcess {
  const [file = "", ...args] = command;
  const child = spawn(file, args, {
    cwd: directory,
    env: { PATH: "/usr/bin:/bin", LINES: "1", ...env },
    stdio: typeof stderr === "string" ? ["ignore", "pipe", stderr] : [stderr, stderr, stderr],
  });
  children.push(child);
  return child;
}

async function said(file: string): Promise<string> {
  const path = join(directory, file);
  while (!existsSync(path)) await delay(5);
  return readFileSync(path, "utf8");
}

async function textOf(child: ChildProcess): Promise<string> {
  let text = "";
  child.stderr?.on("data", (chunk: Buffer) => {
    text += chunk.toString();
  });
  await once(child, "close");
  return text;
}

describe("standard error", () => {
  it("that is a pipe receives text", async () => {
    const child = run(node, "pipe");
    expect(await textOf(child)).toBe(`smmap[${child.pid}]: notice: message 0\n`);
    expect(child.exitCode).toBe(0);
  });

  it("that is not read does not block the process, nor keep it from exiting", async () => {
    const child = run(node, "pipe", { LINES: "100000" });
    await said("logged");
    expect(await said("closed")).toBe("false");
    await once(child, "exit");
    expect(child.exitCode).toBe(0);
  });

  it("whose reader has exited is not used any more", async () => {
    const child = run(node, "pipe", { LINES: "100000" });
    child.stderr?.destroy();
    expect(await said("closed")).toBe("true");
    await once(child, "exit");
    expect(child.exitCode).toBe(0);
  });

  it("that is a stopped terminal does not block the process", async () => {
    // script(1) makes the terminal, and stops reading it while its own output is not read.
    const quoted = node.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(" ");
    const child = run(["script", "-qec", quoted, "/dev/null"], "ignore", { LINES: "100000" });
    await said("logged");
    expect(await said("closed")).toBe("false");
    child.stdout?.resume();
    await once(child, "exit");
    expect(child.exitCode).toBe(0);
  });

  it.each([
    ["text", "<5>message 0\n"],
    ["json", /^<5>\{"time":"[^"]+","level":"notice","message":"message 0"\}\n$/],
  ])("of journald starts lines with the priority: %s", async (place, expected) => {
    const journal = "JOURNAL_STREAM=$(stat --dereference --format=%d:%i /proc/self/fd/2)";
    const child = run(["sh", "-c", `export ${journal}; exec "$@"`, "sh", ...node], "pipe", { PLACE: place });
    const text = await textOf(child);
    if (typeof expected === "string") expect(text).toBe(expected);
    else expect(text).toMatch(expected);
  });

  it("that is not of journald has no priority, though that of the parent was", async () => {
    const child = run(node, "pipe", { JOURNAL_STREAM: "1:2" });
    expect(await textOf(child)).toBe(`smmap[${child.pid}]: notice: message 0\n`);
  });
});

describe("standard error that is not readable", () => {
  let syslog: SyslogServer;

  beforeEach(async () => {
    syslog = await SyslogServer.start();
  });

  afterEach(async () => {
    await syslog.stop();
  });

  async function arrived(): Promise<void> {
    while (syslog.messages.length === 0) await delay(5);
  }

  it("because it is /dev/null leaves the log to syslog", async () => {
    const child = run(node, "ignore", { PATH: syslog.path });
    await arrived();
    expect(syslog.messages).toEqual([{ priority: 21, tag: `smmap[${child.pid}]`, text: "message 0" }]);
  });

  it("because it is the client's connection leaves the log to syslog", async () => {
    const { ours, client } = await connection();
    const child = run(node, client, { PATH: syslog.path });
    await arrived();
    expect(syslog.messages.map(({ text }) => text)).toEqual(["message 0"]);
    await once(child, "exit");
    expect(await received(ours, client)).toBe("");
  });

  it("because it is the client's connection receives nothing, even without syslog", async () => {
    const { ours, client } = await connection();
    const child = run(node, client, { PATH: "/nowhere" });
    await once(child, "exit");
    expect(child.exitCode).toBe(0);
    expect(await received(ours, client)).toBe("");
  });
});

/** Both ends of a connection. */
async function connection(): Promise<{ readonly ours: Socket; readonly client: Socket }> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const ours = connect((server.address() as AddressInfo).port, "127.0.0.1");
  const [client] = (await once(server, "connection")) as [Socket];
  server.close();
  return { ours, client };
}

/** Everything that was received, once the other end is closed. */
async function received(ours: Socket, client: Socket): Promise<string> {
  let text = "";
  ours.on("data", (chunk: Buffer) => {
    text += chunk.toString();
  });
  client.destroy();
  await once(ours, "close");
  return text;
}
