/** The daemon under systemd: socket activation, readiness, watchdog; and the units in contrib. */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Daemon, DaemonFolder, type DaemonOptions, program } from "../../fixtures/daemon.ts";
import { libraryPath, unpackedPackages } from "../../fixtures/servers/debian-packages.ts";
import { freePort } from "../../fixtures/servers/free-port.ts";
import { SocketmapClient } from "../../fixtures/socketmap-client.ts";

const run = promisify(execFile);
const units = fileURLToPath(new URL("../../contrib/systemd/", import.meta.url));

let folder: DaemonFolder;
let tools: string;
const children: ChildProcess[] = [];
const daemons: Daemon[] = [];

beforeEach(async () => {
  tools = join(await unpackedPackages(["systemd"]), "usr/bin");
  folder = new DaemonFolder();
  folder.configure("smmap_listen: /nowhere/is/not/used");
});

afterEach(async () => {
  for (const daemon of daemons.splice(0)) await daemon.kill();
  for (const child of children.splice(0)) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    const exited = once(child, "exit");
    child.kill("SIGKILL");
    await exited;
  }
  folder.remove();
});

/** A daemon that systemd-socket-activate starts at the first connection to one of its sockets. */
async function activate(sockets: readonly string[], options: DaemonOptions = {}): Promise<Daemon> {
  const activator = join(tools, "systemd-socket-activate");
  const listen = sockets.flatMap((socket) => ["--listen", socket]);
  const daemon = new Daemon(folder, { ...options, by: [activator, ...listen, ...(options.by ?? [])] });
  daemons.push(daemon);
  await daemon.says(/Listening on/, sockets.length);
  return daemon;
}

async function askOnce(address: string, key = "fred"): Promise<string> {
  const client = await SocketmapClient.connect(address);
  try {
    return await client.ask(key);
  } finally {
    client.close();
  }
}

describe("socket activation", () => {
  it("serves all sockets, and logs their names", async () => {
    const path = folder.at("activated");
    const tcp = `127.0.0.1:${await freePort()}`;
    const daemon = await activate([path, tcp], { by: ["--fdname=one:two"] });
    expect(await askOnce(path)).toBe("OK fred");
    expect(await askOnce(tcp)).toBe("OK fred");
    expect(daemon.addresses).toEqual(["one", tcp]);
  });

  it("does not remove the socket at shutdown", async () => {
    const path = folder.at("activated");
    const daemon = await activate([path]);
    expect(await askOnce(path)).toBe("OK fred");
    daemon.signal("SIGTERM");
    expect(await daemon.exited).toEqual({ status: 0, signal: null });
    expect(existsSync(path)).toBe(true);
  });

  it("reloads the configuration on SIGHUP", async () => {
    const path = folder.at("activated");
    const daemon = await activate([path]);
    const client = await SocketmapClient.connect(path);
    expect(await client.ask("+news")).toBe("OK +news");
    folder.configure("smmap_listen: /nowhere/is/not/used\nsmmap_test_rights: none");
    daemon.signal("SIGHUP");
    await daemon.says(/configuration reloaded/);
    expect(await client.ask("+news")).toBe("NOTFOUND Mailbox does not exist");
    client.close();
  });

  it("shuts down after -T seconds without a connection", async () => {
    const path = folder.at("activated");
    const daemon = await activate([path], { args: ["-T", "1"] });
    expect(await askOnce(path)).toBe("OK fred");
    expect(await daemon.exited).toEqual({ status: 0, signal: null });
  });

  it("reports a connection in place of a listening socket", async () => {
    const daemon = await activate([folder.at("activated")], { by: ["--accept"] });
    const client = await SocketmapClient.connect(folder.at("activated"));
    await daemon.says(/descriptor 3\) is no listening socket: listen EINVAL/);
    client.close();
  });
});

/** A socket of systemd's, read by socat. */
async function notifySocket(): Promise<{ readonly path: string; readonly text: () => string }> {
  const root = await unpackedPackages(["socat"]);
  const path = folder.at("notify");
  const child = spawn(join(root, "usr/bin/socat"), ["-u", `UNIX-RECV:${path}`, "STDOUT"], {
    env: { LD_LIBRARY_PATH: await libraryPath(root) },
    stdio: ["ignore", "pipe", "inherit"],
  });
  children.push(child);
  let text = "";
  child.stdout.on("data", (chunk: Buffer) => {
    text += chunk.toString();
  });
  while (!existsSync(path)) await delay(5);
  return { path, text: () => text };
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await delay(5);
}

describe("sd_notify", () => {
  it("is notified of readiness, by the watchdog, and of the shutdown", async () => {
    folder.configure();
    const { path, text } = await notifySocket();
    const env = { NOTIFY_SOCKET: path, WATCHDOG_USEC: "200000", PATH: `${tools}:/usr/bin:/bin` };
    const daemon = new Daemon(folder, { env: { ...env, PATH: `${env.PATH}:${process.env.PATH}` } });
    daemons.push(daemon);
    await until(() => text().includes("READY=1"));
    expect(await askOnce(folder.socket)).toBe("OK fred");
    const beats = () => text().split("WATCHDOG=1").length - 1;
    await until(() => beats() >= 3);
    daemon.signal("SIGTERM");
    expect(await daemon.exited).toEqual({ status: 0, signal: null });
    await until(() => text().includes("STOPPING=1"));
    expect(text().indexOf("READY=1")).toBeLessThan(text().indexOf("WATCHDOG=1"));
    expect(daemon.text).not.toMatch(/systemd-notify/);
  });

  it("gets no watchdog messages unless it is configured for them", async () => {
    folder.configure();
    const { path, text } = await notifySocket();
    const env = { NOTIFY_SOCKET: path, WATCHDOG_USEC: "100000", WATCHDOG_PID: "1" };
    const daemon = new Daemon(folder, { env });
    daemons.push(daemon);
    await until(() => text().includes("READY=1"));
    daemon.signal("SIGTERM");
    await daemon.exited;
    await until(() => text().includes("STOPPING=1"));
    expect(text()).not.toContain("WATCHDOG=1");
  });

  it("is not required: a failure is logged", async () => {
    folder.configure();
    const daemon = new Daemon(folder, { env: { NOTIFY_SOCKET: folder.at("nobody") } });
    daemons.push(daemon);
    await daemon.says(/warning: systemd-notify READY=1: ended with status 1/);
    expect(await askOnce(folder.socket)).toBe("OK fred");
  });
});

describe("the units", () => {
  /** Copies of the units with an existing program and user. */
  function install(): string {
    const directory = folder.at("units");
    mkdirSync(directory);
    const service = readFileSync(join(units, "smmapd.service"), "utf8")
      .replace("/usr/local/bin/smmapd", program)
      .replace("User=cyrus", "User=mail");
    writeFileSync(join(directory, "smmapd.service"), service);
    copyFileSync(join(units, "smmapd.socket"), join(directory, "smmapd.socket"));
    return directory;
  }

  it("are valid for systemd-analyze", async () => {
    const directory = install();
    const files = ["smmapd.service", "smmapd.socket"].map((name) => join(directory, name));
    const { stdout, stderr } = await run(join(tools, "systemd-analyze"), ["verify", "--man=no", ...files]);
    expect(stdout + stderr).toBe("");
  });

  it("use existing options, and no path of this machine", async () => {
    const service = readFileSync(join(units, "smmapd.service"), "utf8");
    expect(service).toMatch(/^ExecStart=\/usr\/local\/bin\/smmapd -C \/etc\/imapd\.conf$/m);
    expect(readFileSync(join(units, "smmapd.socket"), "utf8")).toMatch(/^ListenStream=\/run\/smmapd\/smmap$/m);
  });

  it("have an exposure level below 1.5 of 10", async () => {
    const file = join(install(), "smmapd.service");
    const args = ["--no-pager", "security", "--offline=true", "--threshold=15", file];
    const { stdout } = await run(join(tools, "systemd-analyze"), args);
    expect(stdout).toMatch(/Overall exposure level for smmapd.service: [01]\.\d OK/);
  });
});
