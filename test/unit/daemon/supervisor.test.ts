/** The supervisor, with test programs as workers. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { ImapdConf } from "../../../src/config/imapd-conf.ts";
import { WorkerSupervisor } from "../../../src/daemon/workers/supervisor.ts";
import type { Log } from "../../../src/store/store.ts";

const conf: ImapdConf = { file: "imapd.conf", options: [], warnings: [], worldReadable: new Set(["imapd.conf"]) };

let folder: string;
let listener: Server;
const errors: string[] = [];
const log: Log = { error: (message) => void errors.push(message), warning() {}, notice() {}, info() {}, debug() {} };
const all: WorkerSupervisor[] = [];

beforeEach(async () => {
  errors.length = 0;
  folder = mkdtempSync(join(tmpdir(), "workers-"));
  listener = createServer();
  await new Promise<void>((resolve) => listener.listen(join(folder, "socket"), resolve));
});

afterEach(async () => {
  for (const workers of all.splice(0)) await workers.shutDown("immediate", 0);
  listener.close();
  rmSync(folder, { recursive: true });
});

/** @param body program of a worker; `say(text)` appends a line to a file */
function workersRunning(body: string): WorkerSupervisor {
  const program = join(folder, "worker.mjs");
  const head = `import { appendFileSync } from "node:fs";
    const say = (text) => appendFileSync(${JSON.stringify(join(folder, "said"))}, text + "\\n");
    process.on("disconnect", () => process.exit(0));`;
  writeFileSync(program, `${head}\n${body}`);
  const { fd } = (listener as unknown as { readonly _handle: { readonly fd: number } })._handle;
  const sockets = [{ fd, name: "socket", protocol: "socketmap" as const }];
  const workers = new WorkerSupervisor(
    { command: [process.execPath, program], env: process.env, pid: process.pid, sockets: () => sockets },
    log,
  );
  all.push(workers);
  return workers;
}

const compliant = `
  say("begun");
  process.on("message", ({ command, conf }) => {
    if (command === "shutdown") process.exit(0);
    say(command + " " + conf.file + " " + conf.worldReadable.has("imapd.conf"));
    process.send("serving");
  });`;

function said(): string[] {
  try {
    return readFileSync(join(folder, "said"), "utf8").trim().split("\n");
  } catch {
    return [];
  }
}

describe("workers", () => {
  it("are started, configured, added, removed and ended", async () => {
    const workers = workersRunning(compliant);
    await workers.configure(conf, 2);
    expect(said()).toEqual(["begun", "configure imapd.conf true", "begun", "configure imapd.conf true"]);
    await workers.configure(conf, 3);
    expect(said().filter((line) => line === "begun")).toHaveLength(3);
    expect(said().filter((line) => line.startsWith("configure"))).toHaveLength(5);
    await workers.configure(conf, 0);
    await workers.shutDown("drain", 1000);
    expect(errors).toEqual([]);
  });

  it("are not started for a count of zero", async () => {
    const workers = workersRunning(compliant);
    await workers.configure(conf, 0);
    await workers.shutDown("drain", 1000);
    expect(said()).toEqual([]);
  });

  it("that refuse a configuration are logged", async () => {
    const body =
      'process.on("message", ({ command }) => command === "shutdown" ? process.exit() : process.send("refused"));';
    await workersRunning(body).configure(conf, 1);
    expect(errors).toEqual([expect.stringMatching(/^worker \d+ has not applied the new configuration$/)]);
  });

  it("that exit at once are replaced after a delay", async () => {
    const workers = workersRunning('say("begun"); process.exit(3);');
    await workers.configure(conf, 1);
    expect(errors[0]).toMatch(/^worker \d+ (?:has exited \(status 3\) and will be replaced|has not applied)/);
    await delay(300);
    expect(said()).toEqual(["begun"]);
    while (said().length < 2) await delay(10);
  });

  it("whose program does not exist are logged", async () => {
    const source = { command: [join(folder, "nothing")], env: {}, pid: process.pid, sockets: () => [] };
    const workers = new WorkerSupervisor(source, log);
    all.push(workers);
    await workers.configure(conf, 1);
    expect(errors.join("\n")).toMatch(/ENOENT/);
  });

  it("are not replaced during a shutdown", async () => {
    const workers = workersRunning(compliant);
    await workers.configure(conf, 2);
    await Promise.all([workers.shutDown("drain", 1000), workers.shutDown("immediate", 0), workers.configure(conf, 5)]);
    expect(said().filter((line) => line === "begun")).toHaveLength(2);
  });
});
