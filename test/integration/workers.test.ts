/** Several processes on the same sockets. */
import { execFileSync } from "node:child_process";
import { chmodSync, existsSync, readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Daemon, DaemonFolder, type DaemonOptions } from "../../fixtures/daemon.ts";
import { SocketmapClient } from "../../fixtures/socketmap-client.ts";
import { SteadyLoad } from "../../fixtures/steady-load.ts";

let folder: DaemonFolder;
const daemons: Daemon[] = [];
const clients: SocketmapClient[] = [];

beforeEach(() => {
  folder = new DaemonFolder();
});

afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  for (const daemon of daemons.splice(0)) await daemon.kill();
  folder.remove();
});

/** Resolves when that many processes are serving. */
async function start(count: number, lines = "", options: DaemonOptions = {}): Promise<Daemon> {
  folder.configure(`smmap_workers: ${count}\n${lines}`);
  const daemon = new Daemon(folder, options);
  daemons.push(daemon);
  await daemon.says(new RegExp(`${count} processes are serving`));
  return daemon;
}

async function connect(address = folder.socket): Promise<SocketmapClient> {
  const client = await SocketmapClient.connect(address);
  clients.push(client);
  return client;
}

/** Running child processes of a daemon. */
function workersOf(daemon: Daemon): readonly number[] {
  const path = `/proc/${daemon.pid}/task/${daemon.pid}/children`;
  const pids = existsSync(path) ? readFileSync(path, "latin1").trim().split(" ").map(Number) : [];
  return pids.filter((pid) => pid > 0 && isAlive(pid));
}

function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "latin1"));
  } catch {
    return false;
  }
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await delay(10);
}

describe("workers", () => {
  it("serve all sockets, and every process accepts connections", async () => {
    const daemon = await start(3, `smmap_listen: ${folder.socket} 127.0.0.1:0\ndebug: yes`);
    expect(workersOf(daemon)).toHaveLength(2);
    const pids = () =>
      new Set([...daemon.text.matchAll(/smmap\[(\d+)\]: debug: accepted connection/g)].map(([, pid]) => pid));
    for (const address of daemon.addresses) {
      for (let round = 0; round < 20 || pids().size < 3; round++) {
        const some = await Promise.all(Array.from({ length: 10 }, () => SocketmapClient.connect(address)));
        expect(await Promise.all(some.map((client) => client.ask("fred")))).toEqual(some.map(() => "OK fred"));
        for (const client of some) client.close();
      }
    }
    expect(pids().size).toBe(3);
    expect([...pids()].sort()).toEqual([daemon.pid, ...workersOf(daemon)].map(String).sort());
  });

  it("are as many as processors with auto", async () => {
    folder.configure("smmap_workers: auto");
    const daemon = new Daemon(folder);
    daemons.push(daemon);
    await daemon.says(/listening on/);
    expect(await (await connect()).ask("fred")).toBe("OK fred");
  });

  it("reload one after the other, without losing a reply", async () => {
    const daemon = await start(3);
    const load = new SteadyLoad(folder.socket);
    for (let reload = 1; reload <= 20; reload++) {
      folder.configure(`smmap_workers: 3\nsmmap_test_rights: ${reload % 2 === 0 ? "lp" : "none"}`);
      const before = load.answers;
      daemon.signal("SIGHUP");
      await Promise.race([daemon.says(/configuration reloaded/, reload), load.done]);
      // All processes have applied it.
      const expected = reload % 2 === 0 ? "OK +news" : "NOTFOUND Mailbox does not exist";
      for (let i = 0; i < 20; i++) {
        const client = await SocketmapClient.connect(folder.socket);
        expect(await client.ask("+news")).toBe(expected);
        client.close();
      }
      while (load.answers < before + 50) await Promise.race([new Promise(setImmediate), load.done]);
    }
    await load.stop();
    expect(daemon.text).not.toMatch(/error|has exited/);
  });

  it("keep the running configuration if the new one has an error", async () => {
    const daemon = await start(2);
    folder.configure("smmap_workers: 2\nsmmap_test_rights: none\nsmmap_query_timeout: soon");
    daemon.signal("SIGHUP");
    await daemon.says(/reload failed, keeping the running configuration/);
    for (let i = 0; i < 20; i++) expect(await (await connect()).ask("+news")).toBe("OK +news");
  });

  it("that cannot be started in a reload leave everything unchanged", async () => {
    const daemon = await start(2, "smmap_user: mail");
    const before = workersOf(daemon);
    // Sets the soft limit as the user of the daemon, mail, whose id is always 8.
    const processesMax = (limit: number) => {
      execFileSync("prlimit", ["--pid", String(daemon.pid), `--nproc=${limit}:`], { uid: 8, gid: 8 });
    };
    processesMax(1);
    const lines = "smmap_workers: 4\nsmmap_user: mail\nsmmap_test_rights: none\ndebug: yes";
    folder.configure(`${lines}\nsmmap_listen: ${folder.at("other")}`);
    daemon.signal("SIGHUP");
    await daemon.says(
      /error: reload failed, keeping the running configuration: smmap_workers: a process could not be started: spawn .*EAGAIN/,
    );
    expect(workersOf(daemon)).toEqual(before);
    for (let i = 0; i < 20; i++) expect(await (await connect()).ask("+news")).toBe("OK +news");
    // debug: yes would log each connection; a change of smmap_listen would be warned of.
    expect(daemon.text).not.toMatch(/debug:|smmap_listen has changed|configuration reloaded|has exited/);
    processesMax(4096);
    folder.configure(lines);
    daemon.signal("SIGHUP");
    await daemon.says(/configuration reloaded/);
    expect(workersOf(daemon)).toHaveLength(3);
    for (let i = 0; i < 20; i++) {
      expect(await (await connect()).ask("+news")).toBe("NOTFOUND Mailbox does not exist");
    }
    expect(daemon.text).toContain("debug: accepted connection");
  });

  it("are added and removed by a reload", async () => {
    const daemon = await start(2);
    folder.configure("smmap_workers: 4");
    daemon.signal("SIGHUP");
    await daemon.says(/configuration reloaded/, 1);
    expect(workersOf(daemon)).toHaveLength(3);
    folder.configure("smmap_workers: 1");
    daemon.signal("SIGHUP");
    await daemon.says(/configuration reloaded/, 2);
    await until(() => workersOf(daemon).length === 0);
    expect(await (await connect()).ask("fred")).toBe("OK fred");
    expect(daemon.text).not.toMatch(/error/);
  });

  it("that are killed are replaced", async () => {
    const daemon = await start(3);
    const before = workersOf(daemon);
    for (const pid of before) process.kill(pid, "SIGKILL");
    await daemon.says(/worker \d+ has exited \(SIGKILL\) and will be replaced/, 2);
    expect(await (await connect()).ask("fred")).toBe("OK fred");
    await until(() => workersOf(daemon).length === 2 && !workersOf(daemon).some((pid) => before.includes(pid)));
  });

  it("that fail with an internal error are replaced, and log its stack", async () => {
    const daemon = await start(2);
    const [worker = 0] = workersOf(daemon);
    // The primary process is stopped, so the worker accepts the client.
    daemon.signal("SIGSTOP");
    (await connect()).ask("crash").catch(() => {});
    await until(() => !isAlive(worker));
    daemon.signal("SIGCONT");
    await daemon.says(/internal error: Error: a mistake of the test's/);
    await daemon.says(/worker \d+ has exited \(status 70\) and will be replaced/);
    await until(() => workersOf(daemon).length === 1);
  });

  it("drain with the primary process on SIGTERM", async () => {
    const daemon = await start(3);
    const workers = workersOf(daemon);
    const some = await Promise.all(Array.from({ length: 30 }, () => connect()));
    const [busy] = some as [SocketmapClient];
    await Promise.all(some.map((client) => client.ask("fred")));
    daemon.signal("SIGTERM");
    await daemon.says(/shutting down: SIGTERM/);
    let isIdleClosed = false;
    const closed = Promise.all(some.slice(1).map((client) => client.receiveAll())).then(() => {
      isIdleClosed = true;
    });
    while (!isIdleClosed) expect(await busy.ask("fred")).toBe("OK fred");
    await closed;
    for (const client of some) client.close();
    expect(await daemon.exited).toEqual({ status: 0, signal: null });
    expect(workers.filter(isAlive)).toEqual([]);
    expect(existsSync(folder.socket)).toBe(false);
    expect(daemon.text).not.toMatch(/error/);
  });

  it("shut down immediately with the primary process on SIGINT, which a terminal sends to all", async () => {
    const daemon = await start(3);
    const workers = workersOf(daemon);
    for (const pid of workers) process.kill(pid, "SIGINT");
    daemon.signal("SIGINT");
    expect(await daemon.exited).toEqual({ status: 0, signal: null });
    expect(workers.filter(isAlive)).toEqual([]);
    expect(daemon.text).not.toMatch(/error/);
  });

  it("shut down if the primary process is killed", async () => {
    const daemon = await start(3);
    const workers = workersOf(daemon);
    expect(workers).toHaveLength(2);
    daemon.signal("SIGKILL");
    await until(() => !workers.some(isAlive));
  });

  it("cannot be combined with options -U and -T", async () => {
    folder.configure("smmap_workers: 2");
    const daemon = new Daemon(folder, { args: ["-U", "5"] });
    daemons.push(daemon);
    expect(await daemon.exited).toEqual({ status: 78, signal: null });
    expect(daemon.text).toContain("smmap_workers: options -U and -T are for a single process");
  });

  it("do not need to read files that only root may read", async () => {
    folder.configure("smmap_workers: 3\nsmmap_user: mail");
    chmodSync(folder.configFile, 0o600);
    const daemon = new Daemon(folder);
    daemons.push(daemon);
    await daemon.says(/3 processes are serving/);
    const workers = workersOf(daemon);
    for (const pid of workers) expect(readFileSync(`/proc/${pid}/status`, "utf8")).toMatch(/^Uid:\s+8\s+8\s+8\s+8$/m);
    // Neither does a replacement.
    for (const pid of workers) process.kill(pid, "SIGKILL");
    await until(() => workersOf(daemon).length === 2 && !workersOf(daemon).some((pid) => workers.includes(pid)));
    daemon.signal("SIGSTOP");
    expect(await (await connect()).ask("fred")).toBe("OK fred");
    daemon.signal("SIGCONT");
    expect(daemon.text).not.toMatch(/error: (?!worker)/);
  });
});
