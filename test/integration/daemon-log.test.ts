/** The log of the program, from startup to shutdown. */
import { existsSync, readFileSync, statSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Daemon, DaemonFolder } from "../../fixtures/daemon.ts";
import { SyslogServer } from "../../fixtures/servers/syslog.ts";
import { SocketmapClient } from "../../fixtures/socketmap-client.ts";

let syslog: SyslogServer;
let folder: DaemonFolder;
let daemon: Daemon | null = null;

beforeEach(async () => {
  syslog = await SyslogServer.start();
  folder = new DaemonFolder();
});

afterEach(async () => {
  await daemon?.kill();
  daemon = null;
  folder.remove();
  await syslog.stop();
});

function start(...lines: readonly string[]): Daemon {
  folder.configure(lines.join("\n"));
  daemon = new Daemon(folder, { env: { PATH: `${syslog.path}:${process.env.PATH}` } });
  return daemon;
}

/** Waits for a message, and returns all up to it as "TAG PRIORITY TEXT", without the process id. */
async function told(text: string): Promise<readonly string[]> {
  for (;;) {
    // The warning about the temporary directory is tested elsewhere.
    const messages = syslog.messages.filter((message) => !message.text.startsWith("smmap_listen: "));
    const lines = messages.map((message) => {
      return `${message.tag.replace(`[${daemon?.pid}]`, "[]")} ${message.priority} ${message.text}`;
    });
    const found = lines.findIndex((line) => line.includes(text));
    if (found >= 0) return lines.slice(0, found + 1);
    await delay(5);
  }
}

const listening = () => `listening on ${folder.socket}`;

describe("the program", () => {
  it("logs everything to syslog, from startup to shutdown", async () => {
    const place = ["smmap_log_format: syslog", "syslog_prefix: cyrus", "syslog_facility: local6"];
    const { exited, child } = start(...place, "debug: yes", "auditlog: yes");
    await told(listening());
    const client = await SocketmapClient.connect(folder.socket);
    expect(await client.ask("fred")).toBe("OK fred");
    client.close();
    await told("auditlog");
    child.kill("SIGTERM");
    expect(await exited).toEqual({ status: 0, signal: null });
    const tag = "cyrus/smmap[]";
    expect(await told("shutting down")).toEqual([
      `${tag} 183 executed`,
      `${tag} 181 store test: smmap_store: ./store.mjs`,
      `${tag} 181 ${listening()}`,
      `${tag} 183 accepted connection`,
      `${tag} 181 auditlog: ok userid=<fred> client=<[unix socket]>`,
      `${tag} 181 shutting down: SIGTERM`,
    ]);
  });

  it("changes the format after a reload", async () => {
    const { child } = start("smmap_log_format: syslog", "syslog_prefix: one");
    await told(listening());
    folder.configure("smmap_log_format: syslog\nsyslog_prefix: two\ndebug: yes");
    child.kill("SIGHUP");
    await told("configuration reloaded");
    const client = await SocketmapClient.connect(folder.socket);
    expect(await told("accepted connection")).toEqual([
      "one/smmap[] 21 store test: smmap_store: ./store.mjs",
      `one/smmap[] 21 ${listening()}`,
      "two/smmap[] 21 configuration reloaded",
      "two/smmap[] 23 accepted connection",
    ]);
    client.close();
  });

  it("exits although its logger hangs, and so does the logger", async () => {
    const { exited, child } = start("smmap_log_format: syslog");
    await told(listening());
    const [logger = 0] = syslog.loggers;
    process.kill(logger, "SIGSTOP");
    child.kill("SIGTERM");
    expect(await exited).toEqual({ status: 0, signal: null });
    expect(() => process.kill(logger, 0)).toThrow("ESRCH");
  });

  it("keeps its logger when Ctrl-C of a terminal reaches the whole group", async () => {
    const { pid } = start("smmap_log_format: syslog");
    await told(listening());
    expect(groupOf(syslog.loggers[0] ?? 0)).not.toBe(groupOf(pid));
  });

  it("drops the privileges of its logger as well", async () => {
    start("smmap_log_format: syslog", "debug: yes", "smmap_user: nobody");
    await told(listening());
    const [first, second, ...rest] = syslog.loggers;
    expect(rest).toEqual([]);
    while (existsSync(`/proc/${first}`)) await delay(5);
    expect(statSync(`/proc/${second}`).uid).not.toBe(0);
  });

  it("does not start with an unknown facility", async () => {
    const refused = start("syslog_facility: postal");
    await refused.says(/postal/);
    expect(await refused.exited).toEqual({ status: 78, signal: null });
    expect(refused.text).toBe(
      `smmapd: ${folder.configFile}:5: syslog_facility: ` +
        "must be DAEMON, MAIL, NEWS, USER or LOCAL0 to LOCAL7 (value 'postal')\n",
    );
  });
});

/** Process group, from proc(5). */
function groupOf(pid: number): string | undefined {
  const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
  return stat.slice(stat.lastIndexOf(")")).split(" ")[3];
}
