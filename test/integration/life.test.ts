/** The daemon inside the process of the test, with signals as events. Real signals are in lifecycle.test.ts. */
import { closeSync, existsSync, openSync } from "node:fs";
import { createServer } from "node:net";
import { PassThrough } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { DaemonFolder } from "../../fixtures/daemon.ts";
import { SocketmapClient } from "../../fixtures/socketmap-client.ts";
import { main } from "../../src/commands/main.ts";
import type { Io } from "../../src/io.ts";

let folder: DaemonFolder;
let stdinFd: number;
let text: string;
let stdin: PassThrough;
let stdout: PassThrough;
let lives: Promise<number>[];

beforeEach(() => {
  folder = new DaemonFolder();
  stdinFd = openSync("/dev/null", "r");
  [stdin, stdout] = [new PassThrough(), new PassThrough()];
  text = "";
  lives = [];
});

afterEach(async () => {
  process.emit("SIGINT");
  await Promise.allSettled(lives);
  for (const signal of ["SIGHUP", "SIGTERM", "SIGINT", "SIGQUIT"] as const) process.removeAllListeners(signal);
  closeSync(stdinFd);
  folder.remove();
});

function begin(args: readonly string[] = [], env: Io["env"] = {}): Promise<number> {
  const stderr = new PassThrough();
  stderr.setEncoding("utf8").on("data", (chunk: string) => {
    text += chunk;
  });
  const io = { stdin, stdinFd, stdout, stderr, env };
  const life = main(["-C", folder.configFile, ...args], io);
  lives.push(life);
  return life;
}

async function says(pattern: RegExp): Promise<void> {
  while (!pattern.test(text)) await delay(5);
}

async function ask(key = "fred"): Promise<string> {
  const client = await SocketmapClient.connect(folder.socket);
  try {
    return await client.ask(key);
  } finally {
    client.close();
  }
}

describe("the daemon in this process", () => {
  it("starts, reloads a configuration, refuses a broken one, and shuts down", async () => {
    const life = begin();
    await says(/listening on/);
    expect(await ask("+news")).toBe("OK +news");
    folder.configure(`smmap_test_rights: none\nsmmap_listen: ${folder.at("elsewhere")}`);
    process.emit("SIGHUP");
    await says(/configuration reloaded/);
    expect(text).toContain("smmap_listen has changed");
    expect(await ask("+news")).toBe("NOTFOUND Mailbox does not exist");
    text = "";
    folder.configure("smmap_test_rights: none");
    process.emit("SIGHUP");
    await says(/configuration reloaded/);
    // It listens there all the time.
    expect(text).not.toContain("has changed");
    folder.configure("smmap_query_timeout: soon");
    process.emit("SIGHUP");
    await says(/reload failed, keeping the running configuration/);
    const idle = await SocketmapClient.connect(folder.socket);
    expect(await idle.ask("fred")).toBe("OK fred");
    process.emit("SIGTERM");
    await says(/shutting down: SIGTERM/);
    await idle.receiveAll();
    idle.close();
    expect(await life).toBe(0);
    expect(existsSync(folder.socket)).toBe(false);
  });

  it("does not start with an error in the configuration, and reports it", async () => {
    folder.configure("smmap_query_timeout: soon");
    expect(await begin()).toBe(78);
    expect(text).toMatch(/^smmapd: unparsable duration 'soon'/);
    text = "";
    expect(await begin(["-T", "soon"])).toBe(64);
    expect(text).toMatch(/^smmapd: option -T takes a number/);
    folder.configure("smmap_workers: 2");
    expect(await begin(["-T", "5"])).toBe(78);
    expect(text).toContain("smmap_workers: options -U and -T are for a single process");
  });

  it("shuts down after -U connections", async () => {
    const life = begin(["-U", "1"]);
    await says(/listening on/);
    expect(await ask()).toBe("OK fred");
    expect(await life).toBe(0);
    expect(text).toContain("shutting down: used for 1 connections");
  });

  it("shuts down immediately on the second SIGTERM", async () => {
    const life = begin();
    await says(/listening on/);
    const busy = await SocketmapClient.connect(folder.socket);
    expect(await busy.ask("fred")).toBe("OK fred");
    process.emit("SIGTERM");
    await says(/shutting down: SIGTERM/);
    process.emit("SIGTERM");
    await busy.receiveAll();
    busy.close();
    expect(await life).toBe(0);
  });

  it("serves a client on standard input until it closes", async () => {
    const life = begin(["-X"]);
    stdin.end("10:cyrus fred,");
    expect(await life).toBe(0);
    expect(stdout.read().toString()).toBe("7:OK fred,");
    expect(text).toContain("serving the client on standard input");
  });

  it("runs the debugger before it serves", async () => {
    folder.configure("debug_command: exit 3 # %s %d %s\ndebug: yes");
    const life = begin(["-D"]);
    await says(/debugger returned exit status: 3/);
    await says(/listening on/);
    expect(text).toContain(` ${process.pid} smmap`);
    process.emit("SIGQUIT");
    expect(await life).toBe(0);
  });

  it("with a socket as standard input logs an error instead of writing it there", async () => {
    folder.configure("smmap_query_timeout: soon");
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(folder.at("some"), resolve));
    const { fd } = (server as unknown as { readonly _handle: { readonly fd: number } })._handle;
    const io = { stdin, stdinFd: fd, stdout, stderr: new PassThrough(), env: {} };
    expect(await main(["-C", folder.configFile], io)).toBe(78);
    server.close();
  });
});
