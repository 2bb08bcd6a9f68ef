/** A daemon started by root: what it does as root, which user it becomes, and what it refuses. Needs root. */
import { execFileSync, spawnSync } from "node:child_process";
import { chmodSync, chownSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { userInfo } from "node:os";
import { dirname } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Daemon, DaemonFolder, type DaemonOptions, program } from "../../fixtures/daemon.ts";
import { SocketmapClient } from "../../fixtures/socketmap-client.ts";
import { createNativeDatabase } from "../../fixtures/sqlite-database.ts";

if (userInfo().uid !== 0) throw new Error("these tests need root; see CONTRIBUTING.md");
/** A user of every system, and its groups. */
const USER = "mail";

let folder: DaemonFolder;
const daemons: Daemon[] = [];

beforeEach(() => {
  folder = new DaemonFolder();
});

afterEach(async () => {
  for (const daemon of daemons.splice(0)) await daemon.kill();
  folder.remove();
});

function launch(options: DaemonOptions = {}): Daemon {
  const daemon = new Daemon(folder, options);
  daemons.push(daemon);
  return daemon;
}

async function start(lines: string, options: DaemonOptions = {}): Promise<Daemon> {
  folder.configure(lines);
  const daemon = launch(options);
  await daemon.says(/listening on/);
  return daemon;
}

/** Starts with a configuration that is refused. @returns the error output */
async function refusal(lines: string, options: DaemonOptions = {}): Promise<string> {
  folder.configure(lines);
  const daemon = launch(options);
  expect(await daemon.exited).toEqual({ status: 78, signal: null });
  return daemon.text;
}

function id(...args: string[]): string {
  return execFileSync("id", args, { encoding: "utf8" }).trim();
}

/** Real, effective, saved and file system ids, and supplementary groups, of a process. */
function identityOf(pid: number) {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const numbers = (name: string) => new RegExp(`^${name}:\\s*(.*)$`, "m").exec(status)?.[1]?.trim().split(/\s+/);
  return { uid: numbers("Uid"), gid: numbers("Gid"), groups: numbers("Groups") };
}

function identity(uid: string, gid: string, groups: string) {
  return { uid: [uid, uid, uid, uid], gid: [gid, gid, gid, gid], groups: groups.split(" ") };
}

async function ask(key = "fred"): Promise<string> {
  const client = await SocketmapClient.connect(folder.socket);
  try {
    return await client.ask(key);
  } finally {
    client.close();
  }
}

describe("root's rights", () => {
  it.each([
    ["smmap_user", `smmap_user: ${USER}\ncyrus_user: nobody`, {}],
    ["cyrus_user", `cyrus_user: ${USER}`, {}],
    ["CYRUS_USER", "cyrus_user: nobody", { CYRUS_USER: USER }],
  ])("are dropped irrevocably for the user of %s, with its groups", async (_name, lines, env) => {
    const daemon = await start(lines, { env });
    expect(identityOf(daemon.pid)).toEqual(identity(id("-u", USER), id("-g", USER), id("-G", USER)));
    expect(await ask()).toBe("OK fred");
  });

  it.each([
    ["cyrus_group", `cyrus_user: ${USER}\ncyrus_group: daemon`, {}],
    ["CYRUS_GROUP", `cyrus_user: ${USER}\ncyrus_group: mail`, { CYRUS_GROUP: "daemon" }],
  ])("are dropped for the group of %s", async (_name, lines, env) => {
    const daemon = await start(lines, { env });
    const gid = execFileSync("getent", ["group", "daemon"], { encoding: "utf8" }).split(":")[2];
    expect(identityOf(daemon.pid).gid).toEqual([gid, gid, gid, gid]);
  });

  it("are kept if smmap_user is root", async () => {
    const daemon = await start("smmap_user: root");
    expect(identityOf(daemon.pid).uid).toEqual(["0", "0", "0", "0"]);
  });

  it.each([
    [
      "a user that there is not",
      "smmap_user: nosuchuser",
      "smmap_user: started by root, smmapd has to become the user",
    ],
    ["a group that there is not", `cyrus_user: ${USER}\ncyrus_group: nosuchgroup`, "there is no group nosuchgroup"],
    [
      "root by cyrus_user",
      "cyrus_user: root",
      "cyrus_user: root is root; to run smmapd as root, name it in smmap_user",
    ],
  ])("are not used to serve with %s", async (_what, lines, message) => {
    expect(await refusal(lines)).toContain(message);
  });

  it("open sockets and read files that only root may access", async () => {
    mkdirSync(folder.at("roots"));
    folder.configure(`smmap_user: ${USER}\nsmmap_listen: ${folder.at("roots/smmap")}`);
    chmodSync(folder.configFile, 0o600);
    for (let i = 0; i < 2; i++) {
      const daemon = launch();
      await daemon.says(/listening on/);
      await daemon.says(
        /warning: a reload \(SIGHUP\) will fail until the user that smmapd runs as can read the configuration file/,
      );
      const client = await SocketmapClient.connect(folder.at("roots/smmap"));
      expect(await client.ask("fred")).toBe("OK fred");
      daemon.signal("SIGHUP");
      await daemon.says(
        /error: reload failed, keeping the running configuration: can't open configuration file .*Permission denied/,
      );
      expect(await client.ask("fred")).toBe("OK fred");
      client.close();
      daemon.signal("SIGTERM");
      // The file of the socket stays, because only root may remove it; the next daemon removes it.
      expect(await daemon.exited).toEqual({ status: 0, signal: null });
      expect(existsSync(folder.at("roots/smmap"))).toBe(true);
    }
  });
});

describe("smmapd check by root", () => {
  /** A database of one mailbox that root and a group may read; null: root only. */
  function makeDatabase(lines: string, group: string | null): void {
    const database = createNativeDatabase(folder.at("mailboxes.db"));
    database.exec("INSERT INTO mailboxes (user) VALUES ('fred')");
    database.close();
    chmodSync(folder.at("mailboxes.db"), group === null ? 0o600 : 0o640);
    if (group !== null) execFileSync("chgrp", [group, folder.at("mailboxes.db")]);
    folder.configure(`smmap_store: sqlite\nsql_database: mailboxes.db\n${lines}`);
  }

  function check(...args: string[]) {
    return spawnSync(program, ["check", "-C", folder.configFile, ...args], { encoding: "utf8" });
  }

  it("looks up as the user of the daemon, which cannot read the database", async () => {
    makeDatabase(`smmap_user: ${USER}`, null);
    await daemonListens();
    expect(await ask()).toBe("TEMP Mailbox look-up failed, try again later");
    const { status, stdout, stderr } = check("fred");
    expect({ status, stdout }).toEqual({ status: 75, stdout: "fred: TEMP Mailbox look-up failed, try again later\n" });
    expect(stderr).toContain(`smmapd: the look-ups were made as ${USER} (smmap_user; uid ${id("-u", USER)}, gid`);
    expect(check("-v", "fred").stdout).toContain(`\n  user      ${USER} (smmap_user; uid ${id("-u", USER)}, gid`);
  });

  it("has the groups of the daemon", async () => {
    makeDatabase(`cyrus_user: ${USER}\ncyrus_group: daemon`, "daemon");
    await daemonListens();
    expect(await ask()).toBe("OK fred");
    expect(check("fred")).toMatchObject({ status: 0, stdout: "fred: OK fred\n", stderr: "" });
  });

  it("reads a configuration that only root may read, as the daemon does", () => {
    makeDatabase(`smmap_user: ${USER}`, USER);
    chmodSync(folder.configFile, 0o600);
    expect(check("fred")).toMatchObject({ status: 0, stdout: "fred: OK fred\n", stderr: "" });
  });

  it("stays root if smmap_user is root", () => {
    makeDatabase("smmap_user: root", null);
    expect(check("-v", "fred")).toMatchObject({ status: 0, stderr: "" });
    expect(check("-v", "fred").stdout).toContain("\n  user      root, as set in smmap_user\n");
  });

  it("fails like the daemon for a missing user", () => {
    makeDatabase("smmap_user: nosuchuser", null);
    const { status, stderr } = check("fred");
    expect(status).toBe(78);
    expect(stderr).toContain("smmap_user: started by root, smmapd has to become the user nosuchuser");
  });

  async function daemonListens(): Promise<void> {
    await launch().says(/listening on/);
  }
});

describe("sockets", () => {
  it("have the configured owner from the start", async () => {
    await start(`smmap_user: ${USER}\nsmmap_socket_owner: nobody\nsmmap_socket_group: daemon\nsmmap_socket_mode: 0620`);
    const { uid, gid, mode } = statSync(folder.socket);
    expect(uid).toBe(Number(id("-u", "nobody")));
    expect(gid).toBe(Number(execFileSync("getent", ["group", "daemon"], { encoding: "utf8" }).split(":")[2]));
    expect(mode & 0o7777).toBe(0o620);
  });

  it("accept numeric owners", async () => {
    await start("smmap_socket_owner: 8\nsmmap_socket_group: 8");
    expect(statSync(folder.socket)).toMatchObject({ uid: 8, gid: 8 });
  });

  it("cannot be given away without root", async () => {
    const uid = Number(id("-u", USER));
    chownSync(folder.path, uid, -1);
    const said = await refusal("smmap_socket_owner: nobody", { uid });
    expect(said).toMatch(
      /smmap_socket_owner, smmap_socket_group: cannot set owner or mode of .*smmap: only root, or for a group/,
    );
    expect(existsSync(folder.socket)).toBe(false);
  });
});

describe("sockets of missing owners", () => {
  it.each([
    ["owner", "smmap_socket_owner: there is no user nosuchuser", "smmap_socket_owner: nosuchuser"],
    ["group", "smmap_socket_group: there is no group nosuchgroup", "smmap_socket_group: nosuchgroup"],
  ])("are refused: %s", async (_what, message, lines) => {
    expect(await refusal(lines)).toContain(message);
  });
});

describe("the folder of a socket", () => {
  it("that everybody may write to is warned of, since sendmail refuses it", async () => {
    mkdirSync(folder.at("open"));
    chmodSync(folder.at("open"), 0o777);
    const daemon = await start(`smmap_listen: ${folder.at("open/smmap")}`);
    expect(daemon.text).toContain(
      `warning: smmap_listen: ${folder.at("open")} is writable by everybody, so sendmail refuses`,
    );
  });

  it("that only its owner may enter is warned of, if the socket is for others", async () => {
    mkdirSync(folder.at("closed"), { mode: 0o700 });
    const lines = `smmap_listen: ${folder.at("closed/smmap")}`;
    const daemon = await start(lines);
    const problem = `warning: smmap_listen: ${folder.at("closed")} is accessible to its owner only`;
    expect(daemon.text).toContain(problem);
    await daemon.kill();
    const other = await start(`${lines}\nsmmap_socket_mode: 0600`);
    expect(other.text).not.toContain(problem);
  });

  it("that is missing or not writable is an error", async () => {
    expect(await refusal(`smmap_listen: ${folder.at("nowhere/smmap")}`)).toContain(
      `there is no folder ${folder.at("nowhere")}; create it`,
    );
    const uid = Number(id("-u", USER));
    expect(await refusal("", { uid })).toContain(`no right to write in ${dirname(folder.socket)}`);
  });
});

it("a service that master(8) has started as root is refused", async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(folder.socket, resolve));
  const { fd } = (server as unknown as { readonly _handle: { readonly fd: number } })._handle;
  const logged = () => (existsSync(folder.at("log")) ? readFileSync(folder.at("log"), "utf8") : "");
  writeFileSync(folder.at("logger"), `#!/bin/sh\nexec cat >${folder.at("log")}\n`, { mode: 0o755 });
  try {
    const daemon = launch({
      by: ["bash", "-c", `exec 3> >(exec cat >${folder.at("messages")}); exec "$@"`, "bash"],
      descriptors: [fd, fd],
      env: { CYRUS_SERVICE: "smmap", CYRUS_ID: "0", PATH: `${folder.path}:${process.env.PATH}` },
    });
    while (!logged().includes("master(8) has started smmapd as root")) await delay(10);
    daemon.signal("SIGHUP");
    expect(await daemon.exited).toEqual({ status: 78, signal: null });
  } finally {
    server.close();
  }
});
