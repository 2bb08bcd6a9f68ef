/** Small parts around the start and the end: what signals mean, sockets by who started us, reloads, folders, systemd. */
import { EventEmitter } from "node:events";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { activatedSockets } from "../../../src/daemon/launch/inherited-sockets.ts";
import type { Start } from "../../../src/daemon/launch/launcher.ts";
import { Pipes } from "../../../src/daemon/launch/stdio-client.ts";
import { openSockets } from "../../../src/daemon/open-sockets.ts";
import { Reload } from "../../../src/daemon/reload-queue.ts";
import type { Configuration } from "../../../src/daemon/service.ts";
import { type Ending, Endings } from "../../../src/daemon/shutdown.ts";
import { heedSignals } from "../../../src/daemon/signals.ts";
import { folderProblem, socketRights } from "../../../src/daemon/socket-permissions.ts";
import { Systemd } from "../../../src/daemon/systemd-notify.ts";
import { Server } from "../../../src/net/server.ts";
import type { Log } from "../../../src/store/store.ts";

let folder: string;
const warnings: string[] = [];
const log: Log = { error() {}, warning: (message) => void warnings.push(message), notice() {}, info() {}, debug() {} };

beforeEach(() => {
  warnings.length = 0;
  folder = mkdtempSync(join(tmpdir(), "starting-"));
});

afterEach(() => rmSync(folder, { recursive: true }));

describe("signals", () => {
  /** What is wanted after these signals, and how many reloads. */
  async function after(role: Parameters<typeof heedSignals>[1], ...signals: readonly string[]) {
    const source = new EventEmitter();
    const endings = new Endings();
    const reload = new Reload();
    let reloads = 0;
    reload.start(async () => void reloads++);
    heedSignals(source, role, { endings, reload });
    for (const signal of signals) {
      source.emit(signal);
      await delay(0);
    }
    endings.want({ reason: "nothing", haste: "unhurried", status: 0 });
    const { reason, haste, status }: Ending = await endings.next();
    return [reason, haste, status, reloads];
  }

  it.each([
    ["service", ["SIGHUP"], ["SIGHUP", "drain", 0, 0]],
    ["service", ["SIGTERM"], ["SIGTERM", "at once", 75, 0]],
    ["service", ["SIGINT"], ["SIGINT", "at once", 75, 0]],
    ["service", ["SIGQUIT"], ["SIGQUIT", "at once", 75, 0]],
    ["service", ["SIGHUP", "SIGTERM"], ["SIGTERM", "at once", 75, 0]],
    ["daemon", ["SIGHUP", "SIGHUP"], ["nothing", "unhurried", 0, 2]],
    ["daemon", ["SIGTERM"], ["SIGTERM", "drain", 0, 0]],
    ["daemon", ["SIGTERM", "SIGTERM"], ["SIGTERM", "at once", 0, 0]],
    ["daemon", ["SIGINT"], ["SIGINT", "at once", 0, 0]],
    ["worker", ["SIGHUP", "SIGINT", "SIGQUIT"], ["nothing", "unhurried", 0, 0]],
    ["worker", ["SIGTERM"], ["SIGTERM", "drain", 0, 0]],
  ] as const)("to a %s: %j", async (role, signals, expected) => {
    expect(await after(role, ...signals)).toEqual(expected);
  });
});

describe("reloads", () => {
  it("are granted one after another, and those that come meanwhile are one", async () => {
    const reload = new Reload();
    const runs: (() => void)[] = [];
    reload.request();
    reload.start(() => new Promise<void>((resolve) => runs.push(resolve)));
    expect(runs).toHaveLength(1);
    reload.request();
    reload.request();
    runs[0]?.();
    await delay(0);
    expect(runs).toHaveLength(2);
    reload.stop();
    reload.request();
    runs[1]?.();
    await delay(0);
    expect(runs).toHaveLength(2);
  });
});

describe("sockets", () => {
  const start = (by: object) => by as Start;
  const configuration = (listen: readonly string[], policyListen: readonly string[] = []) => {
    const addresses = (names: readonly string[]) => names.map((name) => ({ path: join(folder, name) }));
    const settings = { listen: addresses(listen), policyListen: addresses(policyListen), socketMode: 0o600 };
    return { settings, process: { socketOwner: null, socketGroup: null } } as unknown as Configuration;
  };

  async function opened(by: object, ...lists: Parameters<typeof configuration>) {
    const server = new Server(null, log);
    await openSockets(server, start(by), configuration(...lists), log);
    const found = server.sockets.map(({ name, protocol }) => [name.replace(`${folder}/`, ""), protocol]);
    return { found, close: () => server.close() };
  }

  it("are ours to make for a person, and told of where sendmail would refuse them", async () => {
    mkdirSync(join(folder, "open"));
    chmodSync(join(folder, "open"), 0o777);
    const { found, close } = await opened({ by: "person" }, ["one"], ["open/two"]);
    expect(found).toEqual([
      ["one", "socketmap"],
      ["open/two", "policy"],
    ]);
    expect(warnings.find((warning) => warning.startsWith("smmap_policy_listen: "))).toContain(join(folder, "open"));
    await close();
  });

  it("are those of systemd, of master, and of the first process", async () => {
    const first = await opened({ by: "person" }, ["one"]);
    const other = new Server(null, log);
    await openSockets(other, start({ by: "person" }), configuration(["other"]), log);
    const [{ fd } = { fd: -1 }] = other.sockets;
    const refused = { fd: 999_999, name: "no socket" };
    for (const by of [
      { by: "systemd", sockets: [refused] },
      { by: "master", master: { socket: refused.fd, service: "smmap" } },
      { by: "primary", primary: { sockets: [{ ...refused, protocol: "policy" }] } },
    ]) {
      await expect(opened(by, [])).rejects.toThrow(/is no listening socket/);
    }
    expect(fd).toBeGreaterThan(0);
    await expect(opened({ by: "master", master: { socket: 999_999, service: "x" } }, [], ["p"])).rejects.toThrow();
    expect(warnings.at(-1)).toMatch(/^smmap_policy_listen counts for nothing under master/);
    await first.close();
    await other.close();
  });

  it("have rights by name and by number", () => {
    expect(socketRights(0o660, { socketOwner: null, socketGroup: null })).toEqual({
      mode: 0o660,
      uid: null,
      gid: null,
    });
    expect(socketRights(0o660, { socketOwner: "root", socketGroup: "0" })).toEqual({ mode: 0o660, uid: 0, gid: 0 });
    expect(() => socketRights(0, { socketOwner: "nosuchuser", socketGroup: null })).toThrow(/^smmap_socket_owner: /);
    expect(() => socketRights(0, { socketOwner: null, socketGroup: "nosuchgroup" })).toThrow(/^smmap_socket_group: /);
  });

  it("lie in folders that mail servers get into", () => {
    const rights = { mode: 0o666, uid: null, gid: null };
    expect(folderProblem("/etc/smmap", rights)).toBeNull();
    // The test's own is for its owner alone.
    expect(folderProblem(join(folder, "smmap"), rights)).toContain(`only its owner can look into ${folder}`);
    chmodSync(folder, 0o777);
    expect(folderProblem(join(folder, "smmap"), rights)).toContain(`everybody can write in ${folder}`);
  });
});

describe("socket activation", () => {
  it("has names, and is for one process", () => {
    const env = { LISTEN_PID: "42", LISTEN_FDS: "3", LISTEN_FDNAMES: "a::b" };
    expect(activatedSockets(env, 42)).toEqual([
      { fd: 3, name: "a (descriptor 3)" },
      { fd: 4, name: "socket (descriptor 4)" },
      { fd: 5, name: "b (descriptor 5)" },
    ]);
    expect(activatedSockets(env, 43)).toEqual([]);
    expect(activatedSockets({}, 42)).toEqual([]);
  });
});

describe("a client of two streams", () => {
  it("is read and written, and ends with its input", async () => {
    const [stdin, stdout] = [new PassThrough(), new PassThrough()];
    const client = new Pipes(stdin, stdout);
    let text = "";
    client.on("data", (chunk: Buffer) => {
      text += chunk.toString();
    });
    const ended = new Promise<void>((resolve) => client.once("end", resolve));
    stdin.end("question");
    await ended;
    expect(text).toBe("question");
    client.end("answer");
    await new Promise<void>((resolve) => client.once("close", resolve));
    expect(stdout.read().toString()).toBe("answer");
  });

  it("stops its input while nobody reads", async () => {
    const [stdin, stdout] = [new PassThrough(), new PassThrough()];
    const client = new Pipes(stdin, stdout);
    stdin.write(Buffer.alloc(100_000));
    await delay(0);
    expect(stdin.isPaused()).toBe(true);
    client.resume();
    await delay(0);
    expect(stdin.isPaused()).toBe(false);
    client.destroy();
  });

  it("may be silent for too long", async () => {
    const client = new Pipes(new PassThrough(), new PassThrough());
    const timedOut = new Promise<void>((resolve) => client.once("timeout", resolve));
    client.setTimeout(10);
    await timedOut;
    client.setTimeout(0);
    client.destroy();
  });

  it.each(["stdin", "stdout"])("breaks with its %s", async (which) => {
    const streams = { stdin: new PassThrough(), stdout: new PassThrough() };
    const client = new Pipes(streams.stdin, streams.stdout);
    const failed = new Promise<Error>((resolve) => client.once("error", resolve));
    streams[which as keyof typeof streams].destroy(new Error("broken"));
    expect((await failed).message).toBe("broken");
  });
});

describe("systemd", () => {
  /** A systemd-notify that writes down what it is told. */
  function notifier(status = 0): Readonly<Record<string, string>> {
    const program = `#!/bin/sh\necho "$@" >>${join(folder, "told")}\nexit ${status}\n`;
    writeFileSync(join(folder, "systemd-notify"), program, { mode: 0o755 });
    return { NOTIFY_SOCKET: join(folder, "nobody"), PATH: `${folder}:/usr/bin:/bin` };
  }

  async function told(count: number): Promise<string> {
    for (;;) {
      try {
        const text = readFileSync(join(folder, "told"), "utf8");
        if (text.split("\n").length > count) return text;
      } catch {
        // Nothing yet.
      }
      await delay(5);
    }
  }

  it("is told nothing where it does not listen", () => {
    const systemd = new Systemd({}, 1, log);
    systemd.ready();
    systemd.stopping();
    systemd.close();
  });

  it("is told of the beginning, of life, and of the end", async () => {
    const { PATH } = process.env;
    const env = notifier();
    process.env.PATH = env.PATH;
    try {
      const systemd = new Systemd({ ...env, WATCHDOG_USEC: "20000", WATCHDOG_PID: "42" }, 42, log);
      systemd.ready();
      await told(3);
      systemd.close();
      systemd.stopping();
      expect(await told(4)).toMatch(/^READY=1\n(WATCHDOG=1\n){2,}/);
    } finally {
      process.env.PATH = PATH;
    }
  });

  it("may not be there to be told", async () => {
    const { PATH } = process.env;
    process.env.PATH = notifier(1).PATH;
    try {
      new Systemd({ NOTIFY_SOCKET: "x" }, 1, log).ready();
      while (warnings.length < 1) await delay(5);
      expect(warnings[0]).toBe("systemd-notify READY=1: ended with status 1");
      process.env.PATH = folder.replace("starting", "nowhere");
      new Systemd({ NOTIFY_SOCKET: "x" }, 1, log).stopping();
      while (warnings.length < 2) await delay(5);
      expect(warnings[1]).toMatch(/^systemd-notify STOPPING=1: .*ENOENT/);
    } finally {
      process.env.PATH = PATH;
    }
  });
});
