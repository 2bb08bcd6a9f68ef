/** Small parts of startup and shutdown: signals, reloads, sockets by launcher, folders, standard input, systemd. */
import { EventEmitter } from "node:events";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ActiveService } from "../../../src/daemon/active-service.ts";
import { activatedSockets } from "../../../src/daemon/launch/inherited-sockets.ts";
import type { Launch } from "../../../src/daemon/launch/launcher.ts";
import { Pipes } from "../../../src/daemon/launch/stdio-client.ts";
import { openSockets } from "../../../src/daemon/open-sockets.ts";
import { ReloadQueue } from "../../../src/daemon/reload-queue.ts";
import type { Configuration } from "../../../src/daemon/service.ts";
import { type Shutdown, ShutdownRequests } from "../../../src/daemon/shutdown.ts";
import { installSignalHandlers } from "../../../src/daemon/signals.ts";
import { folderProblem, socketRights } from "../../../src/daemon/socket-permissions.ts";
import { SystemdNotifier } from "../../../src/daemon/systemd-notify.ts";
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
  /** The shutdown that these signals request, and the number of reloads. */
  async function after(role: Parameters<typeof installSignalHandlers>[1], ...signals: readonly string[]) {
    const source = new EventEmitter();
    const shutdowns = new ShutdownRequests();
    const reloads = new ReloadQueue();
    let count = 0;
    reloads.start(async () => void count++);
    installSignalHandlers(source, role, { shutdowns, reloads });
    for (const signal of signals) {
      source.emit(signal);
      await delay(0);
    }
    shutdowns.request({ reason: "nothing", mode: "idle", status: 0 });
    const { reason, mode, status }: Shutdown = await shutdowns.next();
    return [reason, mode, status, count];
  }

  it.each([
    ["service", ["SIGHUP"], ["SIGHUP", "drain", 0, 0]],
    ["service", ["SIGTERM"], ["SIGTERM", "immediate", 75, 0]],
    ["service", ["SIGINT"], ["SIGINT", "immediate", 75, 0]],
    ["service", ["SIGQUIT"], ["SIGQUIT", "immediate", 75, 0]],
    ["service", ["SIGHUP", "SIGTERM"], ["SIGTERM", "immediate", 75, 0]],
    ["daemon", ["SIGHUP", "SIGHUP"], ["nothing", "idle", 0, 2]],
    ["daemon", ["SIGTERM"], ["SIGTERM", "drain", 0, 0]],
    ["daemon", ["SIGTERM", "SIGTERM"], ["SIGTERM", "immediate", 0, 0]],
    ["daemon", ["SIGINT"], ["SIGINT", "immediate", 0, 0]],
    ["worker", ["SIGHUP", "SIGINT", "SIGQUIT"], ["nothing", "idle", 0, 0]],
    ["worker", ["SIGTERM"], ["SIGTERM", "drain", 0, 0]],
  ] as const)("to a %s are handled: %j", async (role, signals, expected) => {
    expect(await after(role, ...signals)).toEqual(expected);
  });
});

describe("reloads", () => {
  it("run one at a time, and requests made meanwhile are merged", async () => {
    const reload = new ReloadQueue();
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
  const launch = (by: object) => by as Launch;
  const configuration = (listen: readonly string[], policyListen: readonly string[] = []) => {
    const addresses = (names: readonly string[]) => names.map((name) => ({ path: join(folder, name) }));
    const settings = { listen: addresses(listen), policyListen: addresses(policyListen), socketMode: 0o600 };
    return { settings, process: { socketOwner: null, socketGroup: null } } as unknown as Configuration;
  };

  async function opened(by: object, ...lists: Parameters<typeof configuration>) {
    const server = new Server(new ActiveService(), log);
    await openSockets(server, launch(by), configuration(...lists), log);
    const found = server.sockets.map(({ name, protocol }) => [name.replace(`${folder}/`, ""), protocol]);
    return { found, close: () => server.close() };
  }

  it("are bound by a standalone process, with a warning where sendmail would refuse them", async () => {
    mkdirSync(join(folder, "open"));
    chmodSync(join(folder, "open"), 0o777);
    const { found, close } = await opened({ by: "standalone" }, ["one"], ["open/two"]);
    expect(found).toEqual([
      ["one", "socketmap"],
      ["open/two", "policy"],
    ]);
    expect(warnings.find((warning) => warning.startsWith("smmap_policy_listen: "))).toContain(join(folder, "open"));
    await close();
  });

  it("are inherited from systemd, from master, and from the primary process", async () => {
    const first = await opened({ by: "standalone" }, ["one"]);
    const other = new Server(new ActiveService(), log);
    await openSockets(other, launch({ by: "standalone" }), configuration(["other"]), log);
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
    expect(warnings.at(-1)).toMatch(/^smmap_policy_listen is ignored under master/);
    await first.close();
    await other.close();
  });

  it("get owner and group by name or number", () => {
    expect(socketRights(0o660, { socketOwner: null, socketGroup: null })).toEqual({
      mode: 0o660,
      uid: null,
      gid: null,
    });
    expect(socketRights(0o660, { socketOwner: "root", socketGroup: "0" })).toEqual({ mode: 0o660, uid: 0, gid: 0 });
    expect(() => socketRights(0, { socketOwner: "nosuchuser", socketGroup: null })).toThrow(/^smmap_socket_owner: /);
    expect(() => socketRights(0, { socketOwner: null, socketGroup: "nosuchgroup" })).toThrow(/^smmap_socket_group: /);
  });

  it("are checked for folders that mail servers cannot enter", () => {
    const rights = { mode: 0o666, uid: null, gid: null };
    expect(folderProblem("/etc/smmap", rights)).toBeNull();
    // mkdtemp creates folders for the owner only.
    expect(folderProblem(join(folder, "smmap"), rights)).toContain(`${folder} is accessible to its owner only`);
    chmodSync(folder, 0o777);
    expect(folderProblem(join(folder, "smmap"), rights)).toContain(`${folder} is writable by everybody`);
  });
});

describe("socket activation", () => {
  it("names sockets, and applies to one process", () => {
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

  it("pauses its input while it is not read", async () => {
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

  it("emits a time-out after the idle time", async () => {
    const client = new Pipes(new PassThrough(), new PassThrough());
    const timedOut = new Promise<void>((resolve) => client.once("timeout", resolve));
    client.setTimeout(10);
    await timedOut;
    client.setTimeout(0);
    client.destroy();
  });

  it.each(["stdin", "stdout"])("fails with its %s", async (which) => {
    const streams = { stdin: new PassThrough(), stdout: new PassThrough() };
    const client = new Pipes(streams.stdin, streams.stdout);
    const failed = new Promise<Error>((resolve) => client.once("error", resolve));
    streams[which as keyof typeof streams].destroy(new Error("broken"));
    expect((await failed).message).toBe("broken");
  });
});

describe("systemd", () => {
  /** A systemd-notify that appends its arguments to a file. */
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

  it("is not notified without NOTIFY_SOCKET", () => {
    const systemd = new SystemdNotifier({}, 1, log);
    systemd.ready();
    systemd.stopping();
    systemd.close();
  });

  it("is notified of readiness, of liveness, and of the shutdown", async () => {
    const { PATH } = process.env;
    const env = notifier();
    process.env.PATH = env.PATH;
    try {
      const systemd = new SystemdNotifier({ ...env, WATCHDOG_USEC: "20000", WATCHDOG_PID: "42" }, 42, log);
      systemd.ready();
      await told(3);
      systemd.close();
      systemd.stopping();
      while (!(await told(4)).includes("STOPPING=1\n")) await delay(5);
      expect(await told(4)).toMatch(/^READY=1\n(WATCHDOG=1\n){2,}/);
    } finally {
      process.env.PATH = PATH;
    }
  });

  it("that cannot be notified is logged", async () => {
    const { PATH } = process.env;
    process.env.PATH = notifier(1).PATH;
    try {
      new SystemdNotifier({ NOTIFY_SOCKET: "x" }, 1, log).ready();
      while (!warnings.some((warning) => warning.includes("READY=1"))) await delay(5);
      expect(warnings).toContain("systemd-notify READY=1: ended with status 1");
      process.env.PATH = folder.replace("starting", "nowhere");
      new SystemdNotifier({ NOTIFY_SOCKET: "x" }, 1, log).stopping();
      while (!warnings.some((warning) => warning.includes("ENOENT"))) await delay(5);
      expect(warnings).toContainEqual(expect.stringMatching(/^systemd-notify STOPPING=1: .*ENOENT/));
    } finally {
      process.env.PATH = PATH;
    }
  });
});
