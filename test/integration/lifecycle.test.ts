/** The standalone daemon as a process, from startup to shutdown. */
import { existsSync, mkdirSync, readFileSync } from "node:fs";
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

async function start(options: DaemonOptions = {}): Promise<Daemon> {
  const daemon = new Daemon(folder, options);
  daemons.push(daemon);
  await daemon.says(/listening on/);
  return daemon;
}

/** Starts a daemon without waiting until it listens. */
function launch(options: DaemonOptions = {}): Daemon {
  const daemon = new Daemon(folder, options);
  daemons.push(daemon);
  return daemon;
}

async function connect(address = folder.socket): Promise<SocketmapClient> {
  const client = await SocketmapClient.connect(address);
  clients.push(client);
  return client;
}

/** Requests a shared folder, whose rights are set in the configuration. */
const askRights = (client: SocketmapClient) => client.ask("+news");
const GRANTED = "OK +news";
const ABSENT = "NOTFOUND Mailbox does not exist";

describe("start", () => {
  it("listens on UNIX sockets, IPv4 and IPv6, and logs each address", async () => {
    folder.configure(`smmap_listen: ${folder.socket} 127.0.0.1:0 [::1]:0`);
    const daemon = await start();
    await daemon.says(/listening on/, 3);
    expect(daemon.addresses[0]).toBe(folder.socket);
    expect(daemon.addresses[1]).toMatch(/^127\.0\.0\.1:[1-9]\d*$/);
    expect(daemon.addresses[2]).toMatch(/^\[::1\]:[1-9]\d*$/);
    for (const address of daemon.addresses) {
      const client = await connect(address);
      expect(await client.askAll(["fred", "nobody"])).toEqual(["OK fred", ABSENT]);
    }
  });

  it.each([
    ["an error in the configuration", "smmap_query_timeout: soon", [], 78, "unparsable duration 'soon'"],
    ["an address that cannot be bound", "smmap_listen: /nowhere/smmap", [], 78, "there is no folder /nowhere"],
    ["an unknown option", "", ["-Z"], 64, "unknown option -Z"],
    ["a number joined to its option", "", ["-U5"], 64, "unknown option -U5"],
    ["a value that is not a number", "", ["-T", "soon"], 64, "option -T takes a number"],
  ])("fails for %s", async (_what, lines, args, status, message) => {
    folder.configure(lines);
    const daemon = launch({ args });
    expect(await daemon.exited).toEqual({ status, signal: null });
    expect(daemon.text).toContain(`smmapd: `);
    expect(daemon.text).toContain(message);
  });

  it("replaces the socket of a dead process, but not one in use", async () => {
    const first = await start();
    const second = launch();
    expect(await second.exited).toEqual({ status: 78, signal: null });
    expect(second.text).toContain(`cannot listen on ${folder.socket}: another program listens there`);
    expect(await (await connect()).ask("fred")).toBe("OK fred");
    await first.kill();
    expect(existsSync(folder.socket)).toBe(true);
    await start();
    expect(await (await connect()).ask("fred")).toBe("OK fred");
  });

  it("proceeds past a lock folder with foreign content, and does not remove it", async () => {
    mkdirSync(`${folder.socket}.lock/precious`, { recursive: true });
    await start();
    expect(await (await connect()).ask("fred")).toBe("OK fred");
    expect(existsSync(`${folder.socket}.lock/precious`)).toBe(true);
  });

  it("of several daemons at once leaves one that serves", async () => {
    const dead = await start();
    await dead.kill();
    const rivals = [launch(), launch(), launch(), launch()];
    const losers = rivals.map((rival) => rival.exited.then(() => rival));
    const listening = rivals.map((rival) => rival.says(/listening on/).then(() => rival));
    const winner = await Promise.any(listening);
    const others = losers.filter((_, i) => rivals[i] !== winner);
    for (const loser of await Promise.all(others)) expect(loser.text).toContain("another program listens there");
    expect(await (await connect()).ask("fred")).toBe("OK fred");
  });

  it("runs debug_command with -D, and waits for it", async () => {
    folder.configure(`debug_command: echo '%s %d %s' >${folder.at("debugged")}\ndebug: yes`);
    const daemon = await start({ args: ["-D"], env: { CYRUS_SERVICE: "other" } });
    expect(readFileSync(folder.at("debugged"), "utf8")).toMatch(
      new RegExp(`^/.*/dist/src/main\\.js ${daemon.pid} other\n$`),
    );
  });

  it("does not run debug_command without -D", async () => {
    folder.configure(`debug_command: echo >${folder.at("debugged")}`);
    await start();
    expect(existsSync(folder.at("debugged"))).toBe(false);
  });
});

describe("SIGHUP", () => {
  it("reloads the configuration, and keeps connections open", async () => {
    const daemon = await start();
    const client = await connect();
    expect(await askRights(client)).toBe(GRANTED);
    folder.configure("smmap_test_rights: none");
    daemon.signal("SIGHUP");
    await daemon.says(/configuration reloaded/);
    expect(await askRights(client)).toBe(ABSENT);
    expect(await askRights(await connect())).toBe(ABSENT);
  });

  it("changes nothing if the configuration has an error", async () => {
    const daemon = await start();
    const client = await connect();
    folder.configure("smmap_test_rights: none\nsmmap_query_timeout: soon");
    daemon.signal("SIGHUP");
    await daemon.says(
      /error: reload failed, keeping the running configuration: unparsable duration 'soon'.*line \d+ of.*imapd\.conf/,
    );
    expect(await askRights(client)).toBe(GRANTED);
    folder.configure("smmap_test_rights: none");
    daemon.signal("SIGHUP");
    await daemon.says(/configuration reloaded/);
    expect(await askRights(client)).toBe(ABSENT);
  });

  it("warns of options that require a restart", async () => {
    const daemon = await start();
    folder.configure(`smmap_listen: ${folder.at("elsewhere")}`);
    daemon.signal("SIGHUP");
    await daemon.says(/warning: smmap_listen has changed: restart smmapd to apply it/);
    expect(await (await connect()).ask("fred")).toBe("OK fred");
  });

  it("repeated under load does not lose a reply", async () => {
    const daemon = await start();
    const load = new SteadyLoad(folder.socket);
    for (let reload = 1; reload <= 20; reload++) {
      const before = load.answers;
      daemon.signal("SIGHUP");
      await Promise.race([daemon.says(/configuration reloaded/, reload), load.done]);
      while (load.answers < before + 50) await Promise.race([new Promise(setImmediate), load.done]);
    }
    await load.stop();
    expect(daemon.text).not.toMatch(/error|warning: (?!smmap_listen: \S+ is writable by everybody)/);
  });
});

describe("a shutdown", () => {
  it("on SIGTERM ends connections when they are idle, removes the socket, and exits with status 0", async () => {
    const daemon = await start();
    const idle = await connect();
    const busy = await connect();
    expect(await idle.ask("fred")).toBe("OK fred");
    daemon.signal("SIGTERM");
    await daemon.says(/shutting down: SIGTERM/);
    await expect(SocketmapClient.connect(folder.socket)).rejects.toThrow(/ENOENT|ECONNREFUSED/);
    let isIdleClosed = false;
    const closed = idle.receiveAll().then(() => {
      isIdleClosed = true;
    });
    while (!isIdleClosed) expect(await busy.ask("fred")).toBe("OK fred");
    await closed;
    expect(await busy.ask("fred")).toBe("OK fred");
    busy.close();
    expect(await daemon.exited).toEqual({ status: 0, signal: null });
    expect(existsSync(folder.socket)).toBe(false);
  });

  it("waits no longer than smmap_drain_timeout for a busy client", async () => {
    folder.configure("smmap_drain_timeout: 2s");
    const daemon = await start();
    const busy = await connect();
    daemon.signal("SIGTERM");
    const load = async () => {
      for (;;) await busy.ask("fred");
    };
    await expect(load()).rejects.toThrow("the server closed the connection");
    expect(await daemon.exited).toEqual({ status: 0, signal: null });
  });

  it.each([
    ["a second SIGTERM", ["SIGTERM", "SIGTERM"]],
    ["SIGINT", ["SIGINT"]],
    ["SIGQUIT", ["SIGQUIT"]],
  ] as const)("on %s waits only for the replies to requests that were read", async (_name, signals) => {
    const daemon = await start();
    const client = await connect();
    expect(await client.ask("fred")).toBe("OK fred");
    const slow = client.ask("slow");
    // One connection's bytes are read before a later one is answered.
    expect(await (await connect()).ask("fred")).toBe("OK fred");
    for (const signal of signals) {
      daemon.signal(signal);
      await daemon.says(/shutting down/);
    }
    expect(await slow).toBe("OK slow");
    await client.receiveAll();
    client.close();
    for (const other of clients) other.close();
    expect(await daemon.exited).toEqual({ status: 0, signal: null });
  });

  it("after an internal error logs its stack", async () => {
    const daemon = await start();
    (await connect()).ask("crash").catch(() => {});
    expect(await daemon.exited).toEqual({ status: 70, signal: null });
    expect(daemon.text).toMatch(/error: internal error: Error: a mistake of the test's\\x0a +at /);
  });

  it("after -U connections waits until they are closed", async () => {
    const daemon = await start({ args: ["-U", "3"] });
    const three = [await connect(), await connect(), await connect()];
    await daemon.says(/shutting down: used for 3 connections/);
    await expect(SocketmapClient.connect(folder.socket)).rejects.toThrow(/ENOENT|ECONNREFUSED/);
    for (const client of three) expect(await client.ask("fred")).toBe("OK fred");
    for (const client of three) client.close();
    expect(await daemon.exited).toEqual({ status: 0, signal: null });
  });

  it("follows -T seconds without a connection, counted from the first one", async () => {
    const daemon = await start({ args: ["-T", "1"] });
    const client = await connect();
    expect(await client.ask("fred")).toBe("OK fred");
    client.close();
    expect(await daemon.exited).toEqual({ status: 0, signal: null });
    expect(daemon.text).toMatch(/shutting down: no connection for 1 s/);
  });
});
