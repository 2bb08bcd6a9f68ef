/** What the original tells of each answer, compared from the client's request to the syslog daemon. */
import { PassThrough } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { MemoryStore, type Population } from "../../fixtures/memory-store.ts";
import { SyslogServer } from "../../fixtures/servers/syslog.ts";
import { SocketmapClient } from "../../fixtures/socketmap-client.ts";
import { startTestServer, type TestServer } from "../../fixtures/test-server.ts";
import { RecipientParser, type RecipientRules } from "../../src/engine/recipient.ts";
import type { ReplyPolicy } from "../../src/engine/verdict.ts";
import { ProcessLog } from "../../src/log/log.ts";
import { AuditLog, type AuditLogOptions } from "../../src/requests/audit-log.ts";

const rules: RecipientRules = {
  virtualDomains: false,
  defaultDomain: "internal",
  separator: ".",
  downcase: true,
  postuser: "",
  skipPlus: false,
};

const population: Population = {
  mailboxes: [
    { name: "user.fred", rights: "" },
    { name: "user.fat", rights: "" },
    { name: "user.jürgen", rights: "" },
    { name: "shared.a", rights: "lrs" },
  ],
  roots: [{ name: "user.fat", limits: [{ resource: "MESSAGE", used: 2, limit: 2 }] }],
};

const temporary: ReplyPolicy = { overQuotaIsPermanent: false, failureIsAccepted: false };

const { PATH } = process.env;
const UNIX = "[unix socket]";
const LOCALHOST = "localhost [127.0.0.1]";

let syslog: SyslogServer;
let store: MemoryStore;
let server: TestServer | null;
let log: ProcessLog;
const clients: SocketmapClient[] = [];

beforeEach(async () => {
  syslog = await SyslogServer.start();
  process.env.PATH = syslog.path;
  store = new MemoryStore(population);
  log = new ProcessLog(
    { place: "syslog", ident: "cyrus/smmap", facility: 2, lowest: "debug" },
    { pid: 1, stderr: new PassThrough(), env: {} },
  );
});

afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  await server?.close();
  server = null;
  await log.close();
  process.env.PATH = PATH;
  await syslog.stop();
});

async function serve(wanted: Pick<AuditLogOptions, "isAudited" | "isDebug">, policy = temporary): Promise<TestServer> {
  const audit = new AuditLog({ ...wanted, recipients: new RecipientParser(rules), policy, log });
  server = await startTestServer({ store, rules, policy, audit });
  return server;
}

async function client(where: string): Promise<SocketmapClient> {
  const made = await SocketmapClient.connect(where);
  clients.push(made);
  return made;
}

/** "PRIORITY TEXT" of so many messages, once they are there. */
async function told(count: number): Promise<string[]> {
  while (syslog.messages.length < count) await delay(5);
  return syslog.messages.map(({ priority, text }) => `${priority} ${text}`);
}

const line = (word: string, userid: string, who: string) => `21 auditlog: ${word} userid=<${userid}> client=<${who}>`;

/**
 * What Cyrus 3.6.1 wrote of these requests, with auditlog, debug and lmtp_over_quota_perm_failure: priority and text. It
 * was asked over a unix socket.
 */
const recorded: readonly (readonly [key: string, ...lines: readonly string[]])[] = [
  ["fred", "21 auditlog: ok userid=<fred> client=<[unix socket]>"],
  [
    "nobody",
    "23 verify_user(nobody) failed: Mailbox does not exist",
    "21 auditlog: nonexistent userid=<nobody> client=<[unix socket]>",
  ],
  [
    "+shared.a",
    "23 verify_user((null)) failed: Permission denied",
    "21 auditlog: failed userid=<+shared.a> client=<[unix socket]>",
  ],
  [
    "fat",
    "23 verify_user(fat) failed: Over quota",
    "21 auditlog: overquota userid=<fat> client=<[unix socket]>",
    "21 auditlog: failed userid=<fat> client=<[unix socket]>",
  ],
  [
    "Fred+INBOX@other.test",
    "23 verify_user(fred) failed: Mailbox does not exist",
    "21 auditlog: nonexistent userid=<Fred+INBOX@other.test> client=<[unix socket]>",
  ],
  [
    "",
    "23 verify_user((null)) failed: Mailbox does not exist",
    "21 auditlog: nonexistent userid=<> client=<[unix socket]>",
  ],
  [
    "+nosuch",
    "23 verify_user((null)) failed: Mailbox does not exist",
    "21 auditlog: nonexistent userid=<+nosuch> client=<[unix socket]>",
  ],
];
const recordedMissingKey = "21 auditlog: failed userid=<> client=<[unix socket]>";

describe("auditlog: yes and debug: yes", () => {
  it.each([
    ["a unix socket", "path", UNIX],
    ["TCP", "tcp", LOCALHOST],
  ] as const)("tell what the original tells, over %s", async (_name, where, who) => {
    const permanent = { ...temporary, overQuotaIsPermanent: true };
    const asking = await client((await serve({ isAudited: true, isDebug: true }, permanent))[where]);
    await asking.askAll(recorded.map(([key]) => key));
    await asking.send("6:nokey!,");
    expect(await asking.receive()).toBe("PERM Bad protocol (missing key)");
    const lines = [...recorded.flatMap(([, ...told]) => told), recordedMissingKey];
    // Where there is no user id, the original prints C's idea of nothing.
    const expected = lines.map((text) => text.replace("((null))", "()").replace(UNIX, who));
    expect(await told(expected.length)).toEqual(expected);
  });
});

describe("auditlog: yes", () => {
  it("tells of over quota once where it is temporary", async () => {
    const { path } = await serve({ isAudited: true, isDebug: false });
    expect(await (await client(path)).askAll(["fat", "fred"])).toEqual(["TEMP Over quota", "OK fred"]);
    expect(await told(2)).toEqual([line("overquota", "fat", UNIX), line("ok", "fred", UNIX)]);
  });

  it("tells of a malformed netstring", async () => {
    const asking = await client((await serve({ isAudited: true, isDebug: false })).path);
    await asking.send("x");
    expect(await asking.receive()).toBe("PERM Bad protocol (missing length)");
    expect(await told(1)).toEqual([line("failed", "", UNIX)]);
  });

  it("tells of a look-up that failed", async () => {
    const { path } = await serve({ isAudited: true, isDebug: false });
    store.fault = "down";
    expect(await (await client(path)).ask("fred")).toMatch(/^TEMP /);
    expect(await told(1)).toEqual([line("failed", "fred", UNIX)]);
  });

  it("is not misled by what clients call themselves", async () => {
    const { path } = await serve({ isAudited: true, isDebug: false });
    const utf8 = Buffer.from("jürgen").toString("latin1");
    const keys = [utf8, "j\xfcrgen", "a\nb\r\x1b[2J", "x> client=<[192.0.2.1]", "y".repeat(10_000)];
    await (await client(path)).askAll(keys);
    const [first, second, third, fourth, fifth] = await told(5);
    expect(first).toBe(line("ok", "jürgen", UNIX));
    expect(second).toBe(line("nonexistent", "j\\xfcrgen", UNIX));
    expect(third).toBe(line("nonexistent", "a\\x0ab\\x0d\\x1b[2J", UNIX));
    expect(fourth).toBe(line("nonexistent", "x\\x3e client=\\x3c[192.0.2.1]", UNIX));
    expect(fifth).toMatch(/^21 auditlog: nonexistent userid=<y{7900,8000}… \(cut\)$/);
  });
});

describe("debug: yes", () => {
  it("alone tells only of what was refused", async () => {
    const { path } = await serve({ isAudited: false, isDebug: true });
    await (await client(path)).askAll(["fred", "fat", "a>b"]);
    expect(await told(2)).toEqual([
      "23 verify_user(fat) failed: Over quota",
      "23 verify_user(a\\x3eb) failed: Mailbox does not exist",
    ]);
  });
});

describe("a sink that hangs", () => {
  it("delays no answer", async () => {
    const { path } = await serve({ isAudited: true, isDebug: true });
    const asking = await client(path);
    await asking.ask("fred");
    await told(1);
    process.kill(syslog.loggers[0] ?? 0, "SIGSTOP");
    for (let i = 0; i < 200; i++) {
      const replies = await asking.askAll(Array.from({ length: 50 }, () => "fred"));
      expect(replies).toHaveLength(50);
    }
    process.kill(syslog.loggers[0] ?? 0, "SIGCONT");
    expect((await told(10_001)).length).toBe(10_001);
  });
});
