/** What the store makes of answers that no real Cyrus can be brought to give. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { checkLibrary } from "../../../adapters/imap/commands.ts";
import { openImapStore } from "../../../fixtures/servers/cyrus-store.ts";
import { type Script, ScriptedImap } from "../../../fixtures/servers/scripted-imap.ts";
import { Lookup } from "../../../src/store/lookup.ts";
import type { Log, MailboxFacts, MailboxId, MailboxStore } from "../../../src/store/store.ts";

const fred: MailboxId = { kind: "user", user: "fred", domain: null, folders: [], address: "fred", detail: null };
const hill: MailboxId = { ...fred, domain: "hill.test" };
const news: MailboxId = { kind: "shared", domain: null, folders: ["news"], address: "", detail: "news" };

let directory: string;
let server: ScriptedImap;
let logged: string[];
const stores: MailboxStore[] = [];

const line = (message: string) => void logged.push(message);
const log: Log = { error: line, warning: line, notice: line, info() {}, debug() {} };

async function open(
  script: Script,
  conf: Readonly<Record<string, string>> = {},
  greeting?: string,
): Promise<MailboxStore> {
  server = await ScriptedImap.start(script, greeting);
  return openStore(conf);
}

function openStore(conf: Readonly<Record<string, string>> = {}): MailboxStore {
  const store = openImapStore({ directory, port: server.port }, { smmap_pool_size: "1", ...conf }, log);
  stores.push(store);
  return store;
}

async function find(store: MailboxStore, mailbox: MailboxId = fred, lookup = new Lookup()): Promise<MailboxFacts> {
  return await store.lookup(mailbox, lookup);
}

/** A script that answers commands as they are, or by their first word, and all else as the server does by itself. */
function answers(table: Readonly<Record<string, string>>): Script {
  return (command) => table[command] ?? table[command.split(" ", 1)[0] ?? ""] ?? null;
}

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "imap-store-"));
  logged = [];
});

afterEach(async () => {
  for (const store of stores.splice(0)) await store.close();
  await server.close();
  rmSync(directory, { recursive: true });
});

describe("facts", () => {
  it.each<[string, string, MailboxFacts]>([
    ["no quota", "* QUOTAROOT user/fred\r\nTAG OK\r\n", { exists: true, rights: null, quotas: [] }],
    [
      "quoted names, a literal, unknown resources",
      '* QUOTAROOT "user/fred" {9}\r\nuser/fred\r\n* QUOTA "user/fred" (X-A 1 2 STORAGE 3 4 X-B 5 6)\r\nTAG OK\r\n',
      { exists: true, rights: null, quotas: [{ root: "user/fred", resource: "STORAGE", used: 3072, limit: 4096 }] },
    ],
    [
      "several roots, a response for each resource, others in between",
      "* QUOTAROOT user/fred a b\r\n* 23 EXISTS\r\n* QUOTA a (STORAGE 1 2)\r\n* OK [ALERT] hm\r\n" +
        "* QUOTA b ()\r\n* QUOTA a (MESSAGE 3 4)\r\n* FLAGS (\\Seen)\r\nTAG OK [X] done\r\n",
      {
        exists: true,
        rights: null,
        quotas: [
          { root: "a", resource: "STORAGE", used: 1024, limit: 2048 },
          { root: "a", resource: "MESSAGE", used: 3, limit: 4 },
        ],
      },
    ],
    ["Cyrus' words for absence", "TAG NO Mailbox does not exist\r\n", { exists: false }],
    ["the code for absence", "TAG NO [NONEXISTENT] There is no such thing\r\n", { exists: false }],
    ["the code for absence in small letters", "TAG NO [nonexistent] gone\r\n", { exists: false }],
  ])("%s", async (_what, answer, facts) => {
    expect(await find(await open(answers({ GETQUOTAROOT: answer })))).toEqual(facts);
  });

  it("come in one command for a user, and two for a shared folder", async () => {
    const store = await open(
      answers({
        GETQUOTAROOT: "* QUOTAROOT news\r\nTAG OK\r\n",
        GETACL: "* ACL news anyone lrs anonymous p -anyone s\r\nTAG OK\r\n",
      }),
    );
    expect(await find(store, news)).toEqual({ exists: true, rights: "lrp", quotas: [] });
    expect(server.received.slice(-2)).toEqual(['GETACL "news"', 'GETQUOTAROOT "news"']);
    server.script = answers({ GETQUOTAROOT: "* QUOTAROOT user/fred\r\nTAG OK\r\n" });
    await find(store);
    expect(server.received.slice(-1)).toEqual(['GETQUOTAROOT "user/fred"']);
  });

  it("include a domain's own quota root that GETQUOTAROOT does not show", async () => {
    const conf = { virtdomains: "userid" };
    const bare = "* QUOTAROOT user/fred@hill.test\r\nTAG OK\r\n";
    const isAtHill = (command: string) => command === 'GETQUOTA "@hill.test"';
    const store = await open((command) => {
      if (isAtHill(command)) return "* QUOTA @hill.test (MESSAGE 5 5)\r\nTAG OK\r\n";
      return command.startsWith("GETQUOTAROOT") ? bare : null;
    }, conf);
    expect(await find(store, hill)).toMatchObject({ quotas: [{ root: "@hill.test", used: 5, limit: 5 }] });
    server.script = answers({ GETQUOTAROOT: bare });
    expect(await find(store, hill)).toEqual({ exists: true, rights: null, quotas: [] });
    server.script = answers({ GETQUOTAROOT: bare, GETQUOTA: "TAG NO Permission denied\r\n" });
    await expect(find(store, hill)).rejects.toMatchObject({ code: "denied" });
    server.script = answers({ GETQUOTAROOT: bare, GETQUOTA: "TAG OK\r\n" });
    await expect(find(store, hill)).rejects.toMatchObject({ code: "invalid-data" });
    server.script = answers({
      GETQUOTAROOT: "* QUOTAROOT user/fred@hill.test NIL\r\n* QUOTA NIL (MESSAGE 1 2)\r\nTAG OK\r\n",
    });
    expect(await find(store, hill)).toMatchObject({ quotas: [{ resource: "MESSAGE", used: 1, limit: 2 }] });
  });
});

describe("folders beside one", () => {
  const inFolder = { ...fred, folders: ["lists"] };
  const listed = '* LIST (\\HasNoChildren) "/" "user/fred/Offers"\r\n';
  /** With the first LIST a session asks for the separator. */
  const lists = (answer: string) => (command: string) =>
    command.startsWith("LIST") && command !== 'LIST "" ""' ? answer : null;

  it("are those that LIST names", async () => {
    const store = await open(lists(`${listed}* LIST (\\Noselect) "/" user/fred/Old\r\n* 1 EXISTS\r\nTAG OK\r\n`));
    expect(await store.similarFolders?.(inFolder, new Lookup())).toEqual([["Offers"]]);
  });

  it.each([
    ["a list that is not closed", '* LIST (\\HasNoChildren "/" "user/fred/Lists"\r\n'],
    ["a quote that is not closed", '* LIST () "/" "user/fred/Lists\r\n'],
    ["no name", '* LIST () "/"\r\n'],
    ["no flags", '* LIST "/" user/fred/Lists\r\n'],
    ["a list for a name", '* LIST () "/" (user/fred/Lists)\r\n'],
    ["a name of two words", '* LIST () "/" user/fred/Lists more\r\n'],
    ["octets that stand for no atom", '* LIST () "/" \x01\x7f\r\n'],
  ])("are not known after a line with %s", async (_what, odd) => {
    const store = await open(lists(`${listed}${odd}TAG OK\r\n`));
    await expect(store.similarFolders?.(inFolder, new Lookup())).rejects.toMatchObject({ code: "invalid-data" });
    server.script = lists(`${listed}TAG OK\r\n`);
    expect(await store.similarFolders?.(inFolder, new Lookup())).toEqual([["Offers"]]);
    expect(server.connections).toBe(1);
  });
});

describe("what is not accepted as an absence", () => {
  it.each<[string, string, string]>([
    ["another NO", "TAG NO Permission denied\r\n", "denied"],
    ["a NO that only begins like absence", "TAG NO Mailbox does not exist yet\r\n", "denied"],
    ["a NO in other letters", "TAG NO MAILBOX DOES NOT EXIST\r\n", "denied"],
    ["a NO without words", "TAG NO\r\n", "denied"],
    ["a NO with another code", "TAG NO [UNAVAILABLE] Mailbox is being moved\r\n", "denied"],
    ["BAD", "TAG BAD Mailbox does not exist\r\n", "denied"],
    ["BAD with the code", "TAG BAD [NONEXISTENT] Unrecognized command\r\n", "denied"],
    ["OK and nothing else", "TAG OK\r\n", "invalid-data"],
    ["OK about another mailbox", "* QUOTAROOT user/mary\r\nTAG OK\r\n", "invalid-data"],
    ["a root without its quota", "* QUOTAROOT user/fred r\r\nTAG OK\r\n", "invalid-data"],
    [
      "a quota that cannot be parsed",
      "* QUOTAROOT user/fred r\r\n* QUOTA r (STORAGE 1 2\r\nTAG OK\r\n",
      "invalid-data",
    ],
    ["a quota in words", "* QUOTAROOT user/fred r\r\n* QUOTA r (STORAGE much 2)\r\nTAG OK\r\n", "invalid-data"],
    [
      "an OK that the library makes of a NO",
      "TAG NO Some of the requested messages no longer exist\r\n",
      "invalid-data",
    ],
    ["an untagged NO", "* NO Mailbox does not exist\r\nTAG OK\r\n", "invalid-data"],
    ["a NO without any tag", "NO Mailbox does not exist\r\n", "unavailable"],
    ["BYE", "* BYE Mailbox does not exist\r\n", "unavailable"],
    ["a tagged BYE", "TAG BYE Mailbox does not exist\r\n", "unavailable"],
    ["an unknown status", "TAG MAYBE Mailbox does not exist\r\n", "unavailable"],
    ["an answer that breaks off", "TAG NO Mailbox does notCUT", "unavailable"],
    ["an end without answer", "CUT", "unavailable"],
    ["an answer that cannot be parsed", "TAG NO [NONEXISTENT (\r\n", "unavailable"],
    ["a line of two megabytes", `* X ${"x".repeat(2 ** 21)}\r\nTAG NO Mailbox does not exist\r\n`, "unavailable"],
  ])("%s", async (_what, answer, code) => {
    const store = await open(answers({ GETQUOTAROOT: answer }));
    await expect(find(store)).rejects.toMatchObject({ name: "StoreError", code });
    server.script = answers({ GETQUOTAROOT: "* QUOTAROOT user/fred\r\nTAG OK\r\n" });
    expect(await find(store), "the next one is answered").toMatchObject({ exists: true });
  });

  it("silence, for longer than a look-up may take", async () => {
    const store = await open(answers({ GETQUOTAROOT: "" }), { smmap_query_timeout: "1s" });
    await expect(find(store)).rejects.toMatchObject({
      code: "timeout",
      message: expect.stringMatching(/no answer to GETQUOTAROOT within 1000 ms/),
    });
    await vi.waitFor(() => expect(server.connections).toBe(0));
    server.script = () => null;
    expect(await find(store)).toEqual({ exists: false });
  });

  it("an answer to somebody else's question", async () => {
    const store = await open((command) => (command.startsWith("GETQUOTAROOT") ? "" : null), {
      smmap_query_timeout: "1s",
    });
    const calledOff = new Lookup();
    const first = find(store, fred, calledOff);
    await vi.waitFor(() => expect(server.received.at(-1)).toBe('GETQUOTAROOT "user/fred"'));
    calledOff.abort(new Error("gone"));
    await expect(first).rejects.toThrow("gone");
    // The connection waits for the answer, and the next look-up for the connection.
    const second = find(store, { ...fred, user: "mary" });
    server.say("FF NO Mailbox does not exist\r\n* QUOTAROOT user/mary\r\n");
    await expect(second).rejects.toMatchObject({ code: "timeout" });
  });

  it("is tried again on a new connection, once, after the old one was lost", async () => {
    let times = 0;
    const store = await open((command) => {
      if (!command.startsWith("GETQUOTAROOT")) return null;
      return ++times === 2 ? "* QUOTAROOT user/fred\r\nTAG OK\r\n" : "CUT";
    });
    expect(await find(store)).toMatchObject({ exists: true });
    await expect(find(store)).rejects.toMatchObject({ code: "unavailable" });
    expect(times).toBe(4);
  });
});

describe("rights", () => {
  const quotaRoot = "* QUOTAROOT news\r\nTAG OK\r\n";

  it("are the account's own where GETACL is refused, which is said once", async () => {
    const store = await open(
      answers({
        GETQUOTAROOT: quotaRoot,
        GETACL: "TAG NO Permission denied\r\n",
        MYRIGHTS: "* MYRIGHTS news lrp\r\nTAG OK\r\n",
      }),
    );
    expect(await find(store, news)).toMatchObject({ rights: "lrp" });
    expect(await find(store, news)).toMatchObject({ rights: "lrp" });
    expect(logged).toEqual([expect.stringMatching(/refused GETACL; the account's own rights.*anyone and anonymous/)]);
  });

  it.each<[string, Readonly<Record<string, string>>, MailboxFacts | string]>([
    ["absent by GETACL", {}, { exists: false }],
    ["an unknown NO to GETACL", { GETACL: "TAG NO System I/O error\r\n" }, "denied"],
    ["no ACL", { GETACL: "TAG OK\r\n" }, "invalid-data"],
    ["absent by GETQUOTAROOT alone", { GETACL: "* ACL news anyone lrsp\r\nTAG OK\r\n" }, "denied"],
    [
      "absent by MYRIGHTS",
      { 'GETACL "news"': "TAG NO [NOPERM] no\r\n", MYRIGHTS: "TAG NO Mailbox does not exist\r\n" },
      { exists: false },
    ],
    ["MYRIGHTS refused as well", { GETACL: "TAG NO [NOPERM] no\r\n", MYRIGHTS: "TAG NO no\r\n" }, "denied"],
  ])("%s", async (_what, table, expected) => {
    const store = await open(answers(table));
    const found = find(store, news).catch((error) => error.code);
    expect(await found).toEqual(expected);
  });
});

describe("exact usage", () => {
  const conf = { smmap_imap_exact_quota: "yes" };
  const full: Readonly<Record<string, string>> = {
    GETQUOTAROOT: "* QUOTAROOT user/fred user/fred\r\n* QUOTA user/fred (STORAGE 2 2 MESSAGE 1 1)\r\nTAG OK\r\n",
  };
  const size = (mailbox: string, octets: string) =>
    `* METADATA ${mailbox} ("/shared/vendor/cmu/cyrus-imapd/size" ${octets})\r\n`;

  async function used(script: Script): Promise<number | undefined> {
    const facts = await find(await open(script, conf));
    return facts.exists ? facts.quotas[0]?.used : undefined;
  }

  it("is the sum of the mailboxes that have the root", async () => {
    const script: Script = (command) => {
      if (command.startsWith("GETQUOTAROOT") && command.includes("Other")) {
        return "* QUOTAROOT user/fred/Other user/fred/Other\r\n* QUOTA user/fred/Other ()\r\nTAG OK\r\n";
      }
      if (command.startsWith("GETQUOTAROOT") && command.includes("Gone")) return "TAG NO Mailbox does not exist\r\n";
      if (command.startsWith("GETQUOTAROOT") && command.includes("Sub")) {
        return "* QUOTAROOT user/fred/Sub user/fred\r\nTAG OK\r\n";
      }
      if (command.startsWith('GETMETADATA "user/fred/*"')) {
        const below = ["Sub", "Other", "Gone"].map((name) => size(`user/fred/${name}`, '"1025"'));
        return `${below.join("")}${size("user/fred/Empty", '"0"')}${size("user/fred/None", "NIL")}TAG OK\r\n`;
      }
      if (command.startsWith("GETMETADATA")) return `${size("user/fred", '"1024"')}TAG OK\r\n`;
      return answers(full)(command);
    };
    expect(await used(script)).toBe(2049);
  });

  it("is not taken where it does not round to what was shown", async () => {
    expect(await used(answers({ ...full, GETMETADATA: `${size("user/fred", '"5000"')}TAG OK\r\n` }))).toBe(2048);
    await server.close();
    expect(await used(answers({ ...full, GETMETADATA: `${size("user/fred", '"?"')}TAG OK\r\n` }))).toBe(2048);
    await server.close();
    expect(await used(answers(full)), "no mailbox matches the pattern").toBe(2048);
  });

  it("is not looked for in more than 500 mailboxes", async () => {
    const many = Array.from({ length: 501 }, (_, i) => size(`user/fred/f${i}`, '"4"')).join("");
    expect(await used(answers({ ...full, GETMETADATA: `${many}TAG OK\r\n` }))).toBe(2048);
    expect(server.received.filter((command) => command.startsWith("GETQUOTAROOT")).length).toBe(1);
  });

  it("is not looked for where there is no doubt, nor for a domain", async () => {
    const clear = "* QUOTAROOT user/fred user/fred\r\n* QUOTA user/fred (STORAGE 1 2 MESSAGE 2 2)\r\nTAG OK\r\n";
    expect(await used(answers({ GETQUOTAROOT: clear }))).toBe(1024);
    await server.close();
    expect(
      await used(
        answers({
          GETQUOTAROOT: clear
            .replaceAll("user/fred user/fred", "user/fred NIL")
            .replace("QUOTA user/fred", "QUOTA NIL")
            .replace("1 2", "2 2"),
        }),
      ),
    ).toBe(2048);
    expect(server.received.filter((command) => command.startsWith("GETMETADATA"))).toEqual([]);
  });

  it("fails where the server refuses to tell", async () => {
    const refusing = answers({ ...full, GETMETADATA: "TAG NO Permission denied\r\n" });
    await expect(find(await open(refusing, conf))).rejects.toMatchObject({ code: "denied" });
  });

  it("ends when the look-up is called off", async () => {
    const lookup = new Lookup();
    const script: Script = (command) => {
      if (command.startsWith("GETMETADATA")) lookup.abort(new Error("late"));
      return answers({ ...full, GETMETADATA: `${size("user/fred", '"1024"')}TAG OK\r\n` })(command);
    };
    const store = await open(script, conf);
    await expect(find(store, fred, lookup)).rejects.toThrow("late");
    await store.ping(new Lookup());
    expect(server.received.filter((command) => command.startsWith("GETQUOTAROOT")).length).toBe(1);
  });
});

describe("a session", () => {
  // As Dovecot 2.3 answers, with its plugins for quotas and ACLs and without.
  const dovecot = "* CAPABILITY IMAP4rev1 ID NAMESPACE LIST-EXTENDED LITERAL+ QUOTA ACL RIGHTS=texk\r\nTAG OK\r\n";
  const bareDovecot = "* CAPABILITY IMAP4rev1 ID NAMESPACE LIST-EXTENDED LITERAL+\r\nTAG OK\r\n";

  it("sends nothing but what is needed", async () => {
    const greeting = "* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN ID NAMESPACE COMPRESS=DEFLATE ENABLE IDLE STARTTLS] hi\r\n";
    const store = await open(answers({ GETQUOTAROOT: "* QUOTAROOT user/known\r\nTAG OK\r\n" }), {}, greeting);
    await find(store, { ...fred, user: "known" });
    expect(server.received).toEqual([
      "AUTHENTICATE PLAIN",
      "CAPABILITY",
      'LIST "" ""',
      "CAPABILITY",
      'GETQUOTA "smmapd-admin-probe"',
      'GETQUOTAROOT "user/known"',
    ]);
  });

  it.each<[string, Readonly<Record<string, string>>, string, RegExp]>([
    ["no administrator", { GETQUOTA: "TAG NO Permission denied\r\n" }, "denied", /the account is not an administrator/],
    ["an unknown account", { GETQUOTA: "TAG NO Who are you?\r\n" }, "denied", /refused GETQUOTA \(NO\): Who are you/],
    [
      "not Cyrus, by a NO",
      { GETQUOTA: "TAG NO Quota root doesn't exist (0.001 secs).\r\n", CAPABILITY: dovecot },
      "denied",
      /127\.0\.0\.1 is not a Cyrus IMAP server/,
    ],
    [
      "not Cyrus, by a BAD",
      { GETQUOTA: "TAG BAD Error in IMAP command GETQUOTA: Unknown command.\r\n", CAPABILITY: bareDovecot },
      "denied",
      /127\.0\.0\.1 is not a Cyrus IMAP server/,
    ],
    ["a Cyrus that says BAD", { GETQUOTA: "TAG BAD what?\r\n" }, "denied", /rejected GETQUOTA \(BAD\): what\?/],
    ["without capabilities", { CAPABILITY: "TAG OK\r\n" }, "invalid-data", /CAPABILITY response is not understood/],
    ["without separator", { LIST: '* LIST () NIL ""\r\nTAG OK\r\n' }, "invalid-data", /hierarchy separator null/],
    ["without LIST", { LIST: "TAG NO no\r\n" }, "denied", /refused LIST \(NO\): no/],
  ])("is of no use as %s", async (_what, table, code, message) => {
    const store = await open(answers(table));
    await expect(find(store)).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
    await vi.waitFor(() => expect(server.connections).toBe(0));
    expect(logged).toEqual([expect.stringMatching(/^imap:\/\/127\.0\.0\.1:\d+: imap: /)]);
  });

  it("of an ordinary account sees shared folders where that is wanted", async () => {
    const conf = { smmap_imap_post_identity: "login" };
    const table = {
      GETQUOTA: "TAG NO Permission denied\r\n",
      NAMESPACE: '* NAMESPACE (("" "/")) NIL (("Shared Folders/" "/"))\r\nTAG OK\r\n',
      MYRIGHTS: '* MYRIGHTS "Shared Folders/news" pa\r\nTAG OK\r\n',
      GETQUOTAROOT: '* QUOTAROOT "Shared Folders/news"\r\nTAG OK\r\n',
    };
    const store = await open(answers(table), conf);
    expect(await find(store, news)).toEqual({ exists: true, rights: "pa", quotas: [] });
    await expect(find(store, fred)).rejects.toMatchObject({
      code: "denied",
      message: expect.stringMatching(/cannot see users' mailboxes/),
    });
    server.script = answers({
      ...table,
      'MYRIGHTS "Shared Folders/news"': "TAG NO Mailbox does not exist\r\n",
      MYRIGHTS: "* MYRIGHTS other lrs\r\nTAG OK\r\n",
      'LIST "" "Shared Folders/*"': '* LIST () "/" "Shared Folders/other"\r\nTAG OK\r\n',
    });
    expect(await find(store, news)).toEqual({ exists: false });
    server.script = answers({ ...table, GETQUOTAROOT: "TAG NO Mailbox does not exist\r\n" });
    await expect(find(store, news)).rejects.toMatchObject({
      code: "denied",
      message: expect.stringMatching(/may not see the quota/),
    });
  });

  it("of an ordinary account needs shared folders to see", async () => {
    const table = {
      GETQUOTA: "TAG NO Permission denied\r\n",
      NAMESPACE: '* NAMESPACE (("" "/")) NIL NIL\r\nTAG OK\r\n',
    };
    const store = await open(answers(table), { smmap_imap_post_identity: "login" });
    await expect(find(store, news)).rejects.toThrow("has no shared namespace");
  });

  it("logs once that the server's hierarchy separator differs from unixhierarchysep", async () => {
    const store = await open(
      answers({
        LIST: '* LIST () "." ""\r\nTAG OK\r\n',
        'GETQUOTAROOT "user.f^r"': "* QUOTAROOT user.f^r\r\nTAG OK\r\n",
      }),
    );
    await find(store, { ...fred, user: "f.r" });
    server.cut();
    await find(store, { ...fred, user: "f.r" });
    expect(logged).toEqual([
      expect.stringMatching(/hierarchy separator is "\."; addresses use "\/" \(unixhierarchysep\)/),
    ]);
  });

  it("does not log in as somebody else than it should", async () => {
    const acting = { smmap_imap_userid: "anonymous" };
    const refused = { code: "denied", message: expect.stringMatching(/login of admin as anonymous refused/) };
    const store = await open(() => null, acting, "* OK [CAPABILITY IMAP4rev1] hi\r\n");
    await expect(find(store)).rejects.toMatchObject(refused);
    expect(server.received).toEqual([]);
    await server.close();
    const noPlain = answers({ AUTHENTICATE: "TAG NO no such mechanism\r\n" });
    const another = await open(noPlain, acting, "* OK [CAPABILITY IMAP4rev1 AUTH=LOGIN] hi\r\n");
    await expect(find(another)).rejects.toMatchObject(refused);
    expect(server.received).toEqual(["AUTHENTICATE PLAIN"]);
  });

  it("tells why the login was refused, and never the password", async () => {
    const store = await open(answers({ AUTHENTICATE: "+ \r\nTAG NO Too many open connections (3 of 3)\r\n" }));
    await expect(find(store)).rejects.toMatchObject({
      code: "denied",
      message: expect.stringMatching(/login of admin refused.*Too many open/),
    });
    await vi.waitFor(() => expect(server.connections).toBe(0));
    expect(logged.join()).not.toContain("adminpw");
  });

  it("says so where the server takes no passwords in clear text", async () => {
    const store = await open(() => null, {}, "* OK [CAPABILITY IMAP4rev1 LOGINDISABLED] hi\r\n");
    await expect(find(store)).rejects.toThrow(/login of admin refused in clear text; see \/starttls and \/tls/);
    expect(server.received).toEqual([]);
  });

  it.each<[string, string, RegExp]>([
    ["BYE", "* BYE try later\r\n", /try later/],
    ["nonsense", "220 mail.home.test ESMTP\r\n", /not connected within 1000 ms|greeting/],
  ])("is not begun after a greeting of %s", async (_what, greeting, message) => {
    const store = await open(() => null, { client_timeout: "1s" }, greeting);
    await expect(find(store)).rejects.toMatchObject({
      code: "unavailable",
      message: expect.stringMatching(message),
    });
    await vi.waitFor(() => expect(server.connections).toBe(0));
  });

  it("is not begun in clear text where TLS is wanted, whatever the greeting says", async () => {
    for (const greeting of ["* PREAUTH welcome\r\n", "* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] no TLS\r\n"]) {
      const store = await open(() => null, {}, greeting);
      const secured = openStore({ smmap_imap_server: `127.0.0.1:${server.port}/starttls` });
      await expect(find(secured)).rejects.toMatchObject({
        code: "unavailable",
        message: expect.stringMatching(/STARTTLS/),
      });
      expect(server.received.filter((command) => command !== "CAPABILITY")).toEqual([]);
      await store.close();
      await server.close();
    }
    server = await ScriptedImap.start();
  });

  it("has a deadline for coming about", async () => {
    const store = await open(answers({ AUTHENTICATE: "" }), { client_timeout: "1s" });
    await expect(find(store)).rejects.toThrow("not connected within 1000 ms");
    await vi.waitFor(() => expect(server.connections).toBe(0));
  });

  it("ends with the store, also while it comes about", async () => {
    for (const command of ["AUTHENTICATE", "LIST", "GETQUOTAROOT"]) {
      const store = await open(answers({ [command]: "" }));
      const found = find(store);
      await vi.waitFor(() => expect(server.received.at(-1)).toMatch(command));
      await store.close();
      await expect(found).rejects.toMatchObject({ code: "closed" });
      await vi.waitFor(() => expect(server.connections).toBe(0));
      await server.close();
    }
    server = await ScriptedImap.start();
  });

  it("is kept alive while nobody asks", async () => {
    vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
    try {
      const store = await open(() => null);
      await find(store);
      vi.advanceTimersByTime(60_000);
      await vi.waitFor(() => expect(server.received.at(-1)).toBe("NOOP"));
    } finally {
      vi.useRealTimers();
    }
  });

  it("moves to another server when its own is gone", async () => {
    const first = await ScriptedImap.start();
    server = await ScriptedImap.start();
    const servers = `127.0.0.1:${first.port} 127.0.0.1:${server.port}`;
    const store = openStore({ smmap_imap_server: servers });
    expect(await find(store)).toEqual({ exists: false });
    expect(server.received).toEqual([]);
    await first.close();
    server.script = answers({ GETQUOTAROOT: "* QUOTAROOT user/fred\r\nTAG OK\r\n" });
    expect(await find(store)).toMatchObject({ exists: true });
    expect(server.received.at(-1)).toBe('GETQUOTAROOT "user/fred"');
  });
});

describe("a name", () => {
  const tricky = [
    'quo"te',
    "back\\slash",
    "per%cent",
    "st*r",
    "new\r\nline",
    "c1 LOGOUT",
    '"\r\nc1 LOGOUT\r\n',
    "{5}",
    "{5+}\r\nhello",
    "tab\t",
    "(p)",
    "~t",
    "[b]",
    "\\Seen",
    "NIL",
    "ünï",
    "日本語",
    "\u0001\u007f",
    " blank ",
    "x".repeat(10_000),
    "é".repeat(5_000),
    "a&b",
  ];

  it.each(tricky.map((name) => [name.slice(0, 20), name]))("%j is one argument of one command", async (_what, name) => {
    const store = await open(() => null);
    expect(await find(store, { ...fred, user: name })).toEqual({ exists: false });
    const [askedFor = "", listed, confirmed = "", ...others] = server.received.slice(5);
    expect([askedFor, confirmed].map((command) => command.split(" ", 1)[0])).toEqual(["GETQUOTAROOT", "GETACL"]);
    expect([askedFor, confirmed].map(argumentOf)).toEqual([`user/${name}`, `user/${name}`]);
    expect([listed, ...others]).toEqual(['LIST "" "user/%"']);
    expect(await find(store, { ...fred, folders: [name] })).toEqual({ exists: false });
    expect(argumentOf(server.received.at(-1) ?? "")).toMatch(/^user\/fred\/[\x20-\x7e]+$/);
  });

  it("that cannot be written is absent without a question", async () => {
    const store = await open(() => null);
    expect(await find(store, { ...fred, user: "nul\0" })).toEqual({ exists: false });
    expect(server.received.at(-1)).toMatch(/^GETQUOTA "smmapd/);
  });
});

/** The one argument of a command as it arrived, octets read as UTF-8. */
function argumentOf(command: string): string {
  const text = command.slice(command.indexOf(" ") + 1);
  const [, size] = /^\{(\d+)\+?\}\r\n/.exec(text) ?? [];
  if (size !== undefined) {
    const value = text.slice(text.indexOf("\n") + 1);
    expect(value.length).toBe(Number(size));
    return Buffer.from(value, "latin1").toString("utf8");
  }
  expect(text).toMatch(/^"(?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\])*"$/);
  return text.slice(1, -1).replace(/\\(.)/g, "$1");
}

describe("the library", () => {
  it("must have what is used of it", async () => {
    server = await ScriptedImap.start();
    expect(() => checkLibrary()).not.toThrow();
    const commands = new Map([["CAPABILITY", 1]]);
    const methods = { exec() {}, connect() {}, logout() {}, close() {} };
    for (const client of [{}, methods, { ...methods, commands }, { ...methods, commands: {} }]) {
      expect(() => checkLibrary(client)).toThrow(/this version of the package imapflow/);
    }
  });
});
