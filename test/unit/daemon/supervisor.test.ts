/** The first process's side of workers, with programs that behave in every way but the daemon's. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { ImapdConf } from "../../../src/config/imapd-conf.ts";
import { Workers } from "../../../src/daemon/workers/supervisor.ts";
import type { Log } from "../../../src/store/store.ts";

const conf: ImapdConf = { file: "imapd.conf", options: [], warnings: [], worldReadable: new Set(["imapd.conf"]) };

let folder: string;
let listener: Server;
const errors: string[] = [];
const log: Log = { error: (message) => void errors.push(message), warning() {}, notice() {}, info() {}, debug() {} };
const all: Workers[] = [];

beforeEach(async () => {
  errors.length = 0;
  folder = mkdtempSync(join(tmpdir(), "workers-"));
  listener = createServer();
  await new Promise<void>((resolve) => listener.listen(join(folder, "socket"), resolve));
});

afterEach(async () => {
  for (const workers of all.splice(0)) await workers.end("at once", 0);
  listener.close();
  rmSync(folder, { recursive: true });
});

/** @param body what such a worker does; `say(text)` writes it down, `order` is what it hears */
function workersThat(body: string): Workers {
  const program = join(folder, "worker.mjs");
  const head = `import { appendFileSync } from "node:fs";
    const say = (text) => appendFileSync(${JSON.stringify(join(folder, "said"))}, text + "\\n");
    process.on("disconnect", () => process.exit(0));`;
  writeFileSync(program, `${head}\n${body}`);
  const { fd } = (listener as unknown as { readonly _handle: { readonly fd: number } })._handle;
  const sockets = [{ fd, name: "socket", protocol: "socketmap" as const }];
  const workers = new Workers(
    { command: [process.execPath, program], env: process.env, pid: process.pid, sockets },
    log,
  );
  all.push(workers);
  return workers;
}

const obedient = `
  say("begun");
  process.on("message", ({ order, conf }) => {
    if (order === "end") process.exit(0);
    say(order + " " + conf.file + " " + conf.worldReadable.has("imapd.conf"));
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
  it("are started, told of the configuration, made more and fewer, and ended", async () => {
    const workers = workersThat(obedient);
    await workers.configure(conf, 2);
    expect(said()).toEqual(["begun", "configure imapd.conf true", "begun", "configure imapd.conf true"]);
    await workers.configure(conf, 3);
    expect(said().filter((line) => line === "begun")).toHaveLength(3);
    expect(said().filter((line) => line.startsWith("configure"))).toHaveLength(5);
    await workers.configure(conf, 0);
    await workers.end("drain", 1000);
    expect(errors).toEqual([]);
  });

  it("are none if the process is on its own", async () => {
    const workers = workersThat(obedient);
    await workers.configure(conf, 0);
    await workers.end("drain", 1000);
    expect(said()).toEqual([]);
  });

  it("that refuse a configuration are told of", async () => {
    const body = 'process.on("message", ({ order }) => order === "end" ? process.exit() : process.send("refused"));';
    await workersThat(body).configure(conf, 1);
    expect(errors).toEqual([expect.stringMatching(/^worker \d+ does not serve with the new configuration$/)]);
  });

  it("that end at once are replaced, but not one after the other", async () => {
    const workers = workersThat('say("begun"); process.exit(3);');
    await workers.configure(conf, 1);
    expect(errors[0]).toMatch(/^worker \d+ (?:has ended \(status 3\); another takes its place|does not serve)/);
    await delay(300);
    expect(said()).toEqual(["begun"]);
    while (said().length < 2) await delay(10);
  });

  it("whose program is not there are told of", async () => {
    const source = { command: [join(folder, "nothing")], env: {}, pid: process.pid, sockets: [] };
    const workers = new Workers(source, log);
    all.push(workers);
    await workers.configure(conf, 1);
    expect(errors.join("\n")).toMatch(/ENOENT/);
  });

  it("get no replacement any more when all shall end", async () => {
    const workers = workersThat(obedient);
    await workers.configure(conf, 2);
    await Promise.all([workers.end("drain", 1000), workers.end("at once", 0), workers.configure(conf, 5)]);
    expect(said().filter((line) => line === "begun")).toHaveLength(2);
  });
});
