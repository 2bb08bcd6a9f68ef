/** A client on standard input and output, of inetd or a shell, as in the manual page of the original. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Daemon, DaemonFolder, program } from "../../fixtures/daemon.ts";
import { unpackedPackages } from "../../fixtures/servers/debian-packages.ts";
import { SocketmapClient } from "../../fixtures/socketmap-client.ts";

let folder: DaemonFolder;
const children: ChildProcess[] = [];
const servers: Server[] = [];
const daemons: Daemon[] = [];

beforeEach(() => {
  folder = new DaemonFolder();
});

afterEach(async () => {
  for (const server of servers.splice(0)) server.close();
  for (const daemon of daemons.splice(0)) await daemon.kill();
  for (const child of children.splice(0)) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    const exited = once(child, "exit");
    child.kill("SIGKILL");
    await exited;
  }
  folder.remove();
});

/** Runs a shell's command line, in which $SMMAPD is the program with its configuration. */
async function shell(line: string) {
  const child = spawn("sh", ["-c", line], {
    env: { PATH: process.env.PATH ?? "", SMMAPD: `${program} -C ${folder.configFile}` },
    stdio: ["ignore", "pipe", "pipe"],
  });
  children.push(child);
  const texts = [child.stdout, child.stderr].map(async (stream) => {
    let text = "";
    for await (const chunk of stream.setEncoding("latin1")) text += chunk;
    return text;
  });
  const [status] = await once(child, "close");
  const [replies = "", log = ""] = await Promise.all(texts);
  return { status, replies, log };
}

describe("a shell", () => {
  it("sends requests through a pipe", async () => {
    const { status, replies, log } = await shell("printf '10:cyrus fred,12:cyrus nobody,' | $SMMAPD");
    expect(replies).toBe("7:OK fred,31:NOTFOUND Mailbox does not exist,");
    expect(status).toBe(0);
    expect(log).toContain("serving the client on standard input");
  });

  it("sends requests slowly, and gets each reply before the next request", async () => {
    const line = "(printf '10:cyr'; sleep 0.2; printf 'us fred,'; sleep 0.2; printf '10:cyrus slow,') | $SMMAPD";
    expect(await shell(line)).toMatchObject({ replies: "7:OK fred,7:OK slow,", status: 0 });
  });

  it("sends requests from a file", async () => {
    writeFileSync(folder.at("questions"), "10:cyrus fred,".repeat(1000));
    const { replies } = await shell(`$SMMAPD <${folder.at("questions")}`);
    expect(replies).toBe("7:OK fred,".repeat(1000));
  });

  it("sends no request", async () => {
    expect(await shell("printf '' | $SMMAPD")).toMatchObject({ replies: "", status: 0 });
  });

  it("sends malformed input, and gets one error reply", async () => {
    const { replies } = await shell("printf '10:cyrus fred,x10:cyrus fred,' | $SMMAPD");
    expect(replies).toMatch(/^7:OK fred,\d+:PERM Bad protocol \(.*\),$/);
  });

  it("on a terminal is served with -X, until the end of the input", async () => {
    expect(await shell("$SMMAPD -X </dev/null")).toMatchObject({ replies: "", status: 0 });
  });

  it("closes the pipe before it has read the replies", async () => {
    writeFileSync(folder.at("questions"), "10:cyrus fred,".repeat(100_000));
    const { status, replies } = await shell(`$SMMAPD <${folder.at("questions")} | head -c 10`);
    expect(replies).toBe("7:OK fred,");
    expect(status).toBe(0);
  });
});

/** As inetd with nowait: each connection is descriptors 0, 1 and 2 of a process of its own. */
async function inetd(args: readonly string[] = []): Promise<string> {
  const path = folder.at("inetd");
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (socket: Socket) => {
    const child = spawn(program, ["-C", folder.configFile, ...args], {
      env: { PATH: process.env.PATH ?? "" },
      stdio: [socket, socket, socket],
    });
    children.push(child);
    child.once("spawn", () => socket.destroy());
  });
  servers.push(server);
  server.listen(path);
  await once(server, "listening");
  return path;
}

describe("inetd", () => {
  it("hands over a client, which gets replies and nothing else", async () => {
    const client = await SocketmapClient.connect(await inetd());
    expect(await client.askAll(["fred", "nobody"])).toEqual(["OK fred", "NOTFOUND Mailbox does not exist"]);
    const [child] = children;
    const exited = once(child as ChildProcess, "exit");
    client.halfClose();
    expect((await client.receiveAll()).toString()).toBe("7:OK fred,31:NOTFOUND Mailbox does not exist,");
    client.close();
    expect(await exited).toEqual([0, null]);
  });

  it("hands over a client that gets nothing if the configuration has an error", async () => {
    folder.configure("smmap_query_timeout: soon");
    const client = await SocketmapClient.connect(await inetd());
    expect((await client.receiveAll()).toString()).toBe("");
    const [child] = children as [ChildProcess];
    if (child.exitCode === null) await once(child, "exit");
    expect(child.exitCode).toBe(78);
    client.close();
  });

  it("as in systemd (Accept=yes) works as well", async () => {
    const tools = join(await unpackedPackages(["systemd"]), "usr/bin");
    const path = folder.at("accepted");
    const daemon = new Daemon(folder, {
      by: [join(tools, "systemd-socket-activate"), "--inetd", "--accept", "--listen", path],
    });
    daemons.push(daemon);
    await daemon.says(/Listening on/);
    for (const key of ["fred", "wilma"]) {
      const client = await SocketmapClient.connect(path);
      expect(await client.ask(key)).toBe(`OK ${key}`);
      client.close();
    }
  });
});
