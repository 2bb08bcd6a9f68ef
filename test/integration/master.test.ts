/** The daemon as a service of Cyrus' real master(8). */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdirSync, readFileSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { DaemonFolder, program } from "../../fixtures/daemon.ts";
import { freePort } from "../../fixtures/servers/free-port.ts";
import { Master, type MasterService } from "../../fixtures/servers/master.ts";
import { SocketmapClient } from "../../fixtures/socketmap-client.ts";

let folder: DaemonFolder;
let master: Master | null = null;
const clients: SocketmapClient[] = [];

beforeEach(() => {
  folder = new DaemonFolder();
  folder.configure("debug: yes");
});

afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  await master?.stop();
  master = null;
  folder.remove();
});

/** A configuration with one service on a UNIX socket by default. */
async function start(service: Partial<MasterService> = {}, ...others: readonly MasterService[]): Promise<Master> {
  master = await Master.start(folder, [{ name: "smmap", listen: folder.socket, ...service }, ...others]);
  return master;
}

async function connect(address = folder.socket): Promise<SocketmapClient> {
  const client = await patientlyConnect(address);
  clients.push(client);
  return client;
}

/** Connects like a mail server: its connect(2) blocks where that of Node.js fails because the backlog is full. */
async function patientlyConnect(address: string): Promise<SocketmapClient> {
  for (;;) {
    try {
      return await SocketmapClient.connect(address);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EAGAIN") throw error;
    }
    await delay(5);
  }
}

async function askOnce(key = "fred", address = folder.socket): Promise<string> {
  const client = await patientlyConnect(address);
  try {
    return await client.ask(key);
  } finally {
    client.close();
  }
}

/** The number of log lines that contain a text. */
function logged(words: string): number {
  return master?.log.filter((line) => line.includes(words)).length ?? 0;
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // It has exited already.
  }
}

/** Milliseconds. */
async function timed(run: () => Promise<void>): Promise<number> {
  const begun = performance.now();
  await run();
  return performance.now() - begun;
}

async function until(condition: () => boolean): Promise<void> {
  await master?.until(String(condition), condition);
}

/** Expects no log line that requires an administrator. */
function expectNoProblems(): void {
  expect(master?.complaints).toEqual([]);
}

/** The same after many SIGHUPs: they kill a child that has not called exec yet, in the original as well. */
function expectNoProblemsAfterExec(): void {
  const beforeExec = /age:0\.\d+s pid:\d+ signaled to death by signal 1 |in READY state: terminated abnormally/;
  expect(master?.complaints.filter((line) => !beforeExec.test(line))).toEqual([]);
}

it("the recommended line of cyrus.conf works", async () => {
  const text = readFileSync(new URL("../../contrib/cyrus.conf", import.meta.url), "utf8");
  expect(text).toContain('cmd="/usr/local/bin/smmapd -C /etc/imapd.conf" listen="/run/cyrus/socket/smmap" prefork=1');
  const ours = text
    .replace("/usr/local/bin/smmapd", program)
    .replace("/etc/imapd.conf", folder.configFile)
    .replace("/run/cyrus/socket/smmap", folder.socket);
  master = await Master.start(folder, ours);
  expect(await askOnce()).toBe("OK fred");
  expect(master.children).toHaveLength(1);
  expectNoProblems();
});

describe("sockets", () => {
  it("of the UNIX domain, of IPv4 and of IPv6 are served", async () => {
    const port = await freePort();
    const ipv4 = { name: "smmap4", listen: `127.0.0.1:${port}` };
    const ipv6 = { name: "smmap6", listen: `[::1]:${port}` };
    await start({}, ipv4, ipv6);
    for (const address of [folder.socket, `127.0.0.1:${port}`, `[::1]:${port}`]) {
      const client = await connect(address);
      expect(await client.askAll(["fred", "nobody"])).toEqual(["OK fred", "NOTFOUND Mailbox does not exist"]);
    }
    expectNoProblems();
  });

  it("are not removed at shutdown", async () => {
    const { children } = await start({ prefork: 1 });
    expect(await askOnce()).toBe("OK fred");
    for (const pid of children) signal(pid, "SIGHUP");
    await until(() => children.every((pid) => !master?.children.includes(pid)));
    expect(await askOnce()).toBe("OK fred");
    expectNoProblems();
  });

  it("of a service use the options with its name", async () => {
    folder.configure("debug: yes\nother_smmap_test_rights: none\nother_postuser: shared");
    await start({}, { name: "other", listen: folder.at("other") });
    expect(await askOnce("+news")).toBe("OK +news");
    expect(await askOnce("shared+news", folder.at("other"))).toBe("NOTFOUND Mailbox does not exist");
    expectNoProblems();
  });
});

describe("processes", () => {
  it.each([0, 1, 2])(
    "with prefork=%i serve many clients each, so that master starts no more of them",
    async (prefork) => {
      await start({ prefork });
      for (let i = 0; i < 10; i++) expect(await (await connect()).ask(`fred${i}`)).toBe(`OK fred${i}`);
      await until(() => logged("accepted connection") === 10);
      expect(master?.children).toHaveLength(Math.max(1, prefork));
      expect(await Promise.all(clients.map((client) => client.ask("fred")))).toEqual(clients.map(() => "OK fred"));
      expectNoProblems();
    },
  );

  it("with prefork=0 answer the first client within 150 ms, if Node.js itself takes 40 ms to start", async () => {
    await start();
    const bare: number[] = [];
    const first: number[] = [];
    for (let i = 0; i < 5; i++) {
      bare.push(await timed(async () => void (await once(spawn(process.execPath, ["-e", "0"]), "exit"))));
      first.push(await timed(async () => expect(await askOnce()).toBe("OK fred")));
      for (const pid of (master as Master).children) signal(pid, "SIGHUP");
      await until(() => master?.children.length === 0);
    }
    expect(Math.min(...first)).toBeLessThan(Math.max(150, 3.75 * Math.min(...bare)));
    expectNoProblems();
  });

  it("accept 200 connections at once", async () => {
    // The soft limit of open files that master sets does not matter.
    await start({ prefork: 1, maxfds: 64 });
    const all = await Promise.all(Array.from({ length: 200 }, () => connect()));
    const replies = await Promise.all(all.map((client, i) => client.ask(`fred${i}`)));
    expect(replies).toEqual(all.map((_, i) => `OK fred${i}`));
    expect(master?.children).toHaveLength(1);
    expectNoProblems();
  });

  it("are at most maxchild", async () => {
    await start({ maxchild: 2, options: "-U 1" });
    const first = await connect();
    expect(await first.ask("fred")).toBe("OK fred");
    const second = await connect();
    expect(await second.ask("fred")).toBe("OK fred");
    // Both processes have reached their limit and wait for their clients; no process accepts a third one.
    const third = await connect();
    const reply = third.ask("fred");
    expect(await first.ask("wilma")).toBe("OK wilma");
    await until(() => logged("executed") >= 2);
    expect(logged("executed")).toBe(2);
    first.close();
    expect(await reply).toBe("OK fred");
    await until(() => logged("executed") === 3);
    expectNoProblems();
  });

  it("accept -U connections, and exit when these are closed", async () => {
    await start({ options: "-U 2" });
    const first = await connect();
    const second = await connect();
    expect([await first.ask("fred"), await second.ask("fred")]).toEqual(["OK fred", "OK fred"]);
    await until(() => logged("shutting down: used for 2 connections") === 1);
    const [used] = master?.children ?? [];
    expect(await askOnce()).toBe("OK fred");
    expect(master?.children).toHaveLength(2);
    expect([await first.ask("wilma"), await second.ask("wilma")]).toEqual(["OK wilma", "OK wilma"]);
    first.close();
    second.close();
    await until(() => logged(`pid:${used} exited normally`) === 1);
    expectNoProblems();
  });

  it("exit after -T seconds without a connection, but not before the first one", async () => {
    await start({ prefork: 1, options: "-T 1" });
    await until(() => logged("executed") === 1);
    const { children } = master as Master;
    const client = await connect();
    expect(await client.ask("fred")).toBe("OK fred");
    client.close();
    await until(() => !master?.children.includes(children[0] ?? 0));
    expect(logged("shutting down: no connection for 1 s")).toBe(1);
    // The next process has served no client, and runs until its first client has disconnected.
    await until(() => logged("executed") === 2);
    expect(await askOnce()).toBe("OK fred");
    await until(() => logged("executed") === 3);
    expectNoProblems();
  });

  it("exit when the program is replaced", async () => {
    const root = dirname(dirname(program));
    cpSync(program, folder.at("bin/smmapd"));
    for (const part of ["dist/src", "dist/adapters"]) cpSync(join(root, part), folder.at(part), { recursive: true });
    symlinkSync(join(root, "node_modules"), folder.at("node_modules"));
    writeFileSync(folder.at("package.json"), '{ "type": "module" }');
    await start({ command: `${folder.at("bin/smmapd")} -C ${folder.configFile}` });
    expect(await askOnce()).toBe("OK fred");
    const { children } = master as Master;
    utimesSync(folder.at("dist/src/main.js"), 1, 1);
    // The program file is checked when a connection is accepted, once a second at most.
    while (logged("shutting down: the program file was replaced") === 0) {
      expect(await askOnce()).toBe("OK fred");
      await delay(100);
    }
    await until(() => !master?.children.includes(children[0] ?? 0));
    expect(await askOnce()).toBe("OK fred");
    expectNoProblems();
  });
});

describe("signals", () => {
  it("SIGHUP: a process drains its clients, and the next process serves new ones", async () => {
    await start({ prefork: 1 });
    const busy = await connect();
    const idle = await connect();
    expect([await busy.ask("fred"), await idle.ask("fred")]).toEqual(["OK fred", "OK fred"]);
    const [first = 0] = (master as Master).children;
    signal(first, "SIGHUP");
    await until(() => logged("shutting down: SIGHUP") === 1);
    expect(await askOnce()).toBe("OK fred");
    let isIdleClosed = false;
    const closed = idle.receiveAll().then(() => {
      isIdleClosed = true;
    });
    while (!isIdleClosed) expect(await busy.ask("fred")).toBe("OK fred");
    await closed;
    busy.close();
    idle.close();
    await until(() => logged(`pid:${first} exited normally`) === 1);
    expectNoProblems();
  });

  it("SIGHUP to a busy process: it exits after smmap_drain_timeout at the latest", async () => {
    folder.configure("debug: yes\nsmmap_drain_timeout: 2s");
    await start();
    const busy = await connect();
    await busy.ask("fred");
    signal((master as Master).children[0] ?? 0, "SIGHUP");
    const load = async () => {
      for (;;) await busy.ask("fred");
    };
    await expect(load()).rejects.toThrow("the server closed the connection");
    expectNoProblems();
  });

  it("SIGHUP at any time, also before a process is ready, does not count as a crash", async () => {
    await start({ prefork: 1 });
    const hungUp = new Set<number>();
    for (let n = 0; n < 20; n++) {
      await until(() => {
        const { children } = master as Master;
        const isNew = children.some((pid) => !hungUp.has(pid));
        // A signal between fork and exec is handled by master's handler and lost with the exec, so it is sent again.
        if (!isNew) for (const pid of children) signal(pid, "SIGHUP");
        return isNew;
      });
      await delay(n * 5);
      for (const pid of (master as Master).children) {
        hungUp.add(pid);
        signal(pid, "SIGHUP");
      }
    }
    expect(await askOnce()).toBe("OK fred");
    expect(logged("shutting down: SIGHUP")).toBeGreaterThan(0);
    expectNoProblemsAfterExec();
  });

  it("SIGTERM: requests that were read are answered, and the status is EX_TEMPFAIL as in the original", async () => {
    await start();
    const client = await connect();
    expect(await client.ask("fred")).toBe("OK fred");
    const slow = client.ask("slow");
    expect(await askOnce()).toBe("OK fred");
    const [pid = 0] = (master as Master).children;
    signal(pid, "SIGTERM");
    expect(await slow).toBe("OK slow");
    client.close();
    // Master's message about EX_TEMPFAIL.
    await until(() => logged(`pid:${pid} was killed`) === 1);
    expect(await askOnce()).toBe("OK fred");
    expectNoProblems();
  });

  it("SIGHUP to master reloads the configuration", async () => {
    await start({ prefork: 1 });
    expect(await askOnce("+news")).toBe("OK +news");
    folder.configure("debug: yes\nsmmap_test_rights: none");
    master?.hangUp();
    await until(() => logged("shutting down: SIGHUP") > 0);
    expect(await askOnce("+news")).toBe("NOTFOUND Mailbox does not exist");
    expectNoProblems();
  });

  it("SIGHUP to master, repeated under load, does not lose a reply", async () => {
    await start({ prefork: 2 });
    expect(await askOnce()).toBe("OK fred");
    let isOver = false;
    let answers = 0;
    const load = Array.from({ length: 50 }, async (_, i) => {
      while (!isOver) {
        const client = await connect();
        for (let n = 0; n < 20; n++) {
          expect(await client.ask(`fred${i}`)).toBe(`OK fred${i}`);
          answers++;
        }
        client.close();
      }
    });
    const all = Promise.all(load);
    for (let reload = 1; reload <= 20; reload++) {
      const before = { answers, started: logged("executed") };
      master?.hangUp();
      await Promise.race([until(() => answers > before.answers + 50 && logged("executed") > before.started), all]);
    }
    isOver = true;
    await all;
    expectNoProblemsAfterExec();
  });
});

describe("failures", () => {
  it("of the daemon are logged with a stack, and the next process serves the clients", async () => {
    await start({ prefork: 1 });
    for (let i = 1; i <= 6; i++) {
      (await connect()).ask("crash").catch(() => {});
      await until(() => logged("internal error: Error: a mistake of the test's") === i);
      expect(await askOnce()).toBe("OK fred");
    }
    expect(logged("in READY state: terminated abnormally")).toBe(0);
  });

  it("by a signal: the next process serves the clients", async () => {
    await start({ prefork: 1 });
    const client = await connect();
    expect(await client.ask("fred")).toBe("OK fred");
    for (const pid of (master as Master).children) signal(pid, "SIGKILL");
    expect(await askOnce()).toBe("OK fred");
    // The process whose shell was killed serves its open connections, and exits.
    client.close();
    await until(() => logged("executed") === 2);
  });

  it.each([
    [
      "the configuration",
      "smmap_query_timeout: soon",
      "",
      "unparsable duration 'soon' for smmap_query_timeout in line",
    ],
    ["the command line", "", "-Z", "unknown option -Z"],
  ])("in %s are logged, and the service stays enabled", async (_what, lines, options, message) => {
    folder.configure(`debug: yes\n${lines}`);
    await start({ prefork: 1, options });
    const reply = askOnce();
    for (let i = 1; i <= 6; i++) {
      await until(() => logged(message) === i);
      const before = (master as Master).children;
      if (i === 1) await delay(500);
      // The process delays its exit, so that master starts few; SIGHUP ends the delay.
      expect(logged(message)).toBe(i);
      if (i === 6) {
        folder.configure("debug: yes");
        master?.configure([{ name: "smmap", listen: folder.socket, prefork: 1 }]);
        master?.hangUp();
      }
      for (const pid of before) signal(pid, "SIGHUP");
    }
    expect(await reply).toBe("OK fred");
    expect(logged("READY state: terminated abnormally")).toBe(0);
    expect(logged("too many failures")).toBe(0);
  });

  it("of the installation are logged, and the service stays enabled", async () => {
    for (const folders of ["bin", "dist/src"]) mkdirSync(folder.at(folders), { recursive: true });
    cpSync(program, folder.at("bin/smmapd"));
    const main = folder.at("dist/src/main.js");
    writeFileSync(main, 'import "./missing.js";');
    await start({ command: `${folder.at("bin/smmapd")} -C ${folder.configFile}`, prefork: 1 });
    const reply = askOnce();
    await until(() => logged("main.js has not come up (status 1)") === 1);
    const { children } = master as Master;
    expect(children).toHaveLength(1);
    writeFileSync(main, `import ${JSON.stringify(join(dirname(program), "../dist/src/main.js"))};`);
    for (const pid of children) signal(pid, "SIGTERM");
    expect(await reply).toBe("OK fred");
  });
});
