/**
 * The original: Cyrus' smmapd under its own master(8), in a folder of its own with mailboxes of ours. Cyrus is taken
 * from CYRUS_ROOT, or as it is installed, or unpacked from Debian's packages. Needs root, to become Cyrus' user.
 */
import { execFile } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdir, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { promisify } from "node:util";
import { libraryPath, unpackedPackages } from "../fixtures/servers/debian-packages.ts";
import { DOMAIN, FOLDER, userAt } from "./population.ts";
import { type Candidate, end, listening, startServer } from "./servers.ts";

const run = promisify(execFile);
/** More processes than there are connections, made beforehand: else its slow forking is what is measured. */
const PREFORK = 40;
const IDLE_CONNECTIONS = 200;
const MESSAGE = `Subject: fills the quota\r\n\r\n${"x".repeat(3000)}\r\n`;
/** Commands that are on their way at once while the mailboxes are made. */
const WINDOW = 200;

/** @param folder an empty folder, readable for everybody; on a tmpfs the mailboxes are made quickly */
export async function original(folder: string, users: number): Promise<Candidate> {
  const root = process.env.CYRUS_ROOT ?? (await unpackedPackages(["cyrus-common", "cyrus-imapd"]));
  const env = { ...process.env, LD_LIBRARY_PATH: await libraryPath(root), CYRUS_USER: await cyrusUser() };
  const endpoint = join(folder, "socket", "smmap");
  const imap = join(folder, "socket", "imap");
  await writeConfiguration(folder, root, endpoint, imap);
  await run("chown", ["-R", `${env.CYRUS_USER}:mail`, folder]);
  await chmod(folder, 0o755);

  const start = async () => {
    const files = [
      "-C",
      join(folder, "imapd.conf"),
      "-M",
      join(folder, "cyrus.conf"),
      "-p",
      join(folder, "master.pid"),
    ];
    const child = startServer(join(root, "usr/sbin/cyrmaster"), files, { env, stdio: "ignore" });
    const pid = await listening(child, endpoint);
    return { name: "original", endpoint, pid, stop: () => end(child) };
  };
  const first = await start();
  try {
    await fill(imap, commands(users));
  } finally {
    await first.stop();
  }
  return { name: first.name, idleConnections: IDLE_CONNECTIONS, start };
}

async function cyrusUser(): Promise<string> {
  return run("id", ["cyrus"]).then(
    () => "cyrus",
    () => "mail",
  );
}

async function writeConfiguration(folder: string, root: string, endpoint: string, imap: string): Promise<void> {
  const state = ["db", "log", "msg", "quota", "sieve", "user", "socket"].map((name) => `conf/${name}`);
  for (const name of [...state, "spool", "socket", "proc", "lock"]) {
    await mkdir(join(folder, name), { recursive: true });
  }
  const conf = join(folder, "imapd.conf");
  const program = (name: string) => `${join(root, "usr/lib/cyrus/bin", name)} -C ${conf}`;
  await writeFile(
    conf,
    `configdirectory: ${folder}/conf
proc_path: ${folder}/proc
mboxname_lockpath: ${folder}/lock
defaultpartition: default
partition-default: ${folder}/spool
virtdomains: userid
defaultdomain: ${DOMAIN}
altnamespace: no
unixhierarchysep: no
admins: cyrus
allowplaintext: yes
sasl_mech_list: PLAIN
hashimapspool: yes
skiplist_unsafe: yes
`,
  );
  await writeFile(
    join(folder, "cyrus.conf"),
    `START {
  recover cmd="${program("ctl_cyrusdb")} -r"
}
SERVICES {
  imap cmd="${program("imapd")} -N" listen="${imap}" prefork=0
  smmap cmd="${program("smmapd")}" listen="${endpoint}" prefork=${PREFORK} maxchild=10000
}
EVENTS {
}
`,
  );
}

function* commands(users: number): Generator<string> {
  yield "LOGIN cyrus any";
  for (let index = 0; index < users; index++) {
    const { name, hasFolder, isOverQuota } = userAt(index);
    const inbox = `user.${name}`;
    yield `CREATE ${inbox}`;
    yield `SETQUOTA ${inbox} (STORAGE 1048576)`;
    if (hasFolder) yield `CREATE ${inbox}.${FOLDER}`;
    if (isOverQuota) {
      yield `SETACL ${inbox} cyrus lrsip`;
      yield `APPEND ${inbox} {${MESSAGE.length}+}\r\n${MESSAGE}`;
      yield `SETQUOTA ${inbox} (STORAGE 1)`;
    }
  }
}

/** Gives an IMAP server commands over one connection, many at once. Rejects when one is refused. */
async function fill(path: string, pending: Iterator<string>): Promise<void> {
  const socket = connect(path);
  await once(socket, "connect");
  socket.setEncoding("latin1");
  let sent = 0;
  let done = 0;
  let rest = "";
  const send = () => {
    let out = "";
    for (let next = pending.next(); ; next = pending.next()) {
      if (next.done === true) break;
      out += `t${sent++} ${next.value}\r\n`;
      if (sent - done >= WINDOW) break;
    }
    socket.write(out);
  };
  send();
  for await (const chunk of socket) {
    const lines = (rest + String(chunk)).split("\r\n");
    rest = lines.pop() ?? "";
    for (const line of lines) {
      if (!line.startsWith("t")) continue;
      if (!/^t\d+ OK/.test(line)) throw new Error(`the original's imapd: ${line}`);
      done++;
    }
    if (sent - done < WINDOW / 2) send();
    if (sent === done) break;
  }
  if (sent !== done) throw new Error("the original's imapd ended the connection");
}
