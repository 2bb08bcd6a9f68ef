/** What master(8) is told by the daemon, beside what the original tells it: messages of 8 octets, in the same places. */
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { DaemonFolder, program } from "../../fixtures/daemon.ts";
import { findPrograms } from "../../fixtures/servers/cyrus-programs.ts";
import { Master } from "../../fixtures/servers/master.ts";
import { SocketmapClient } from "../../fixtures/socketmap-client.ts";

/** Of master/service.h. */
const names = ["", "AVAILABLE", "UNAVAILABLE", "CONNECTION", "CONNECTION_MULTI"];

let folder: DaemonFolder;
let master: Master | null = null;

beforeEach(() => {
  folder = new DaemonFolder();
  const state = ["db", "lock", "log", "msg", "proc", "quota", "user"];
  for (const name of state) {
    mkdirSync(folder.at(name));
    chmodSync(folder.at(name), 0o777);
  }
  const paths = `proc_path: ${folder.at("proc")}\nmboxname_lockpath: ${folder.at("lock")}`;
  folder.configure(`debug: yes\n${paths}`);
  // Between a service and master, on the pipe for messages.
  const tap = `#!/bin/bash\nexec 3> >(exec tee -a ${folder.at("messages")}.$CYRUS_SERVICE.$$ >&3)\nexec "$@"\n`;
  writeFileSync(folder.at("tap"), tap, { mode: 0o755 });
});

afterEach(async () => {
  await master?.stop();
  master = null;
  folder.remove();
});

type Service = "ours" | "theirs";

async function start(options: string, prefork = 0): Promise<void> {
  const { directory } = await findPrograms();
  const programs = { ours: program, theirs: join(directory, "smmapd") };
  const services = (["ours", "theirs"] as const).map((name) => ({
    name,
    listen: folder.at(`${name}.sock`),
    command: `${folder.at("tap")} ${programs[name]} -C ${folder.configFile}`,
    options,
    prefork,
  }));
  master = await Master.start(folder, services);
}

/** Messages of the process so far; each has its number. */
function messages(service: Service, pid: number): string[] {
  const file = folder.at(`messages.${service}.${pid}`);
  const octets = existsSync(file) ? readFileSync(file) : Buffer.alloc(0);
  expect(octets.length % 8).toBe(0);
  const numbers = Array.from({ length: octets.length / 4 }, (_, i) => octets.readInt32LE(i * 4));
  return numbers.flatMap((number, i) => {
    if (i % 2 === 0) return [names[number] ?? String(number)];
    expect(number).toBe(pid);
    return [];
  });
}

/** The one process of a service, found by its program. */
function processOf(service: Service): number {
  const pids = (master?.children ?? []).filter((pid) => {
    return readFileSync(`/proc/${pid}/environ`, "latin1").split("\0").includes(`CYRUS_SERVICE=${service}`);
  });
  expect(pids).toHaveLength(1);
  return pids[0] ?? 0;
}

async function askOnce(service: Service): Promise<void> {
  const client = await SocketmapClient.connect(folder.at(`${service}.sock`));
  await client.ask("fred");
  client.close();
}

/** Waits until the process is gone. @returns what it told master, and what master said of its end */
async function endOf(service: Service, pid: number) {
  const end = () => master?.log.find((line) => new RegExp(`pid:${pid} (exited|was|signaled)`).test(line));
  await master?.until(`${service} has ended`, () => end() !== undefined);
  return { told: messages(service, pid), end: end()?.replace(/^.* pid:\d+ /, "") };
}

it("used twice, one client after the other", async () => {
  await start("-U 2");
  await askOnce("ours");
  const ours = processOf("ours");
  await askOnce("ours");
  expect(await endOf("ours", ours)).toEqual({
    told: ["CONNECTION_MULTI", "CONNECTION_MULTI", "UNAVAILABLE"],
    end: "exited normally",
  });
  await askOnce("theirs");
  const theirs = processOf("theirs");
  await master?.until("it is available again", () => messages("theirs", theirs).includes("AVAILABLE"));
  await askOnce("theirs");
  expect(await endOf("theirs", theirs)).toEqual({
    told: ["UNAVAILABLE", "CONNECTION", "AVAILABLE", "UNAVAILABLE", "CONNECTION"],
    end: "exited normally",
  });
});

it.each([
  ["SIGHUP", "exited normally"],
  ["SIGTERM", "was killed"],
] as const)("%s before any client", async (signal, end) => {
  await start("", 1);
  await master?.until("both run", () => (master?.log.filter((line) => line.includes("executed")).length ?? 0) === 2);
  for (const service of ["ours", "theirs"] as const) {
    const pid = processOf(service);
    process.kill(pid, signal);
    expect(await endOf(service, pid)).toEqual({ told: service === "ours" ? ["UNAVAILABLE"] : [], end });
  }
});

it.each([
  ["SIGHUP", "exited normally"],
  ["SIGTERM", "was killed"],
] as const)("%s while a client is connected", async (signal, end) => {
  await start("");
  for (const service of ["ours", "theirs"] as const) {
    const client = await SocketmapClient.connect(folder.at(`${service}.sock`));
    await client.ask("fred");
    const pid = processOf(service);
    process.kill(pid, signal);
    // The original drops its client only if the signal finds it waiting.
    if (service === "ours") await client.receiveAll();
    client.close();
    const told = service === "ours" ? ["CONNECTION_MULTI", "UNAVAILABLE"] : ["UNAVAILABLE", "CONNECTION"];
    expect(await endOf(service, pid)).toEqual({ told, end });
  }
});

it("a mistake in the configuration", async () => {
  folder.configure("smmap_query_timeout: soon");
  await start("", 1);
  await master?.until("it is told", () => master?.log.some((line) => line.includes("unparsable")) ?? false);
  const pid = processOf("ours");
  expect(messages("ours", pid)).toEqual([]);
  process.kill(pid, "SIGHUP");
  expect(await endOf("ours", pid)).toEqual({ told: ["UNAVAILABLE"], end: "exited, status 78" });
});
