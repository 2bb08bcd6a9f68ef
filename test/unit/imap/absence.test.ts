/** When the store takes "Mailbox does not exist" for a fact, and what that costs. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { openImapStore } from "../../../fixtures/servers/cyrus-store.ts";
import { ScriptedImap } from "../../../fixtures/servers/scripted-imap.ts";
import { Lookup } from "../../../src/store/lookup.ts";
import type { Log, MailboxId, MailboxStore } from "../../../src/store/store.ts";

const NO_SUCH = "TAG NO Mailbox does not exist\r\n";
const DONE = "TAG OK done\r\n";
/** Commands of a new connection, from AUTHENTICATE to GETQUOTA. */
const LOGIN = 5;

/** A server's list of mailboxes; what LIST and GETACL answer from. */
let listed: Set<string>;
/** What GETQUOTAROOT answers from, where it is another one: the backends of a murder. */
let held: Set<string> | null;
/** Answers to other commands, by the whole command or its first word. */
let table: Record<string, string>;

let directory: string;
let server: ScriptedImap;
let logged: string[];
const stores: MailboxStore[] = [];
const line = (message: string) => void logged.push(message);
const log: Log = { error: line, warning: line, notice: line, info() {}, debug() {} };

function script(command: string): string | null {
  const [, name = "", argument = ""] = /^(\S+)(?:.* "(.*)")?$/.exec(command) ?? [];
  const said = table[command] ?? table[name];
  if (said !== undefined) return said;
  if (name === "GETQUOTAROOT") return (held ?? listed).has(argument) ? `* QUOTAROOT ${argument}\r\n${DONE}` : NO_SUCH;
  if (name === "GETACL" || name === "MYRIGHTS") {
    return listed.has(argument) ? `* ${name.replace("GET", "")} ${argument} anyone lrsp\r\n${DONE}` : NO_SUCH;
  }
  if (command !== 'LIST "" "user/%"') return null;
  return [...listed].map((each) => `* LIST (\\HasNoChildren) "/" ${each}\r\n`).join("") + DONE;
}

function open(conf: Readonly<Record<string, string>> = {}): MailboxStore {
  const store = openImapStore({ directory, port: server.port }, { smmap_pool_size: "1", ...conf }, log);
  stores.push(store);
  return store;
}

function user(name: string): MailboxId {
  return { kind: "user", user: name, domain: null, folders: [], address: name, detail: null };
}

/** Whether users exist, or why that cannot be told; one after the other. */
async function ask(store: MailboxStore, ...names: string[]): Promise<(boolean | string)[]> {
  const said: (boolean | string)[] = [];
  for (const name of names) {
    try {
      said.push((await store.lookup(user(name), new Lookup())).exists);
    } catch (error) {
      const { code, message } = error as { code: string; message: string };
      said.push(`${code}: ${message}`);
    }
  }
  return said;
}

/** Makes users known for good: they are found again after a minute. */
async function establish(store: MailboxStore, ...names: string[]): Promise<void> {
  await ask(store, ...names);
  vi.advanceTimersByTime(60_000);
  expect(await ask(store, ...names)).toEqual(names.map(() => true));
}

/** What came since it was asked last. */
function received(): readonly string[] {
  return server.received.splice(0);
}

beforeEach(async () => {
  vi.useFakeTimers({ toFake: ["performance"] });
  directory = mkdtempSync(join(tmpdir(), "imap-absence-"));
  logged = [];
  listed = new Set(["user/anna", "user/berta", "user/carla"]);
  held = null;
  table = {};
  server = await ScriptedImap.start(script);
});

afterEach(async () => {
  vi.useRealTimers();
  for (const store of stores.splice(0)) await store.close();
  await server.close();
  rmSync(directory, { recursive: true });
});

describe("what it costs", () => {
  it("is nothing more than the one command for users that exist", async () => {
    const store = open();
    expect(await ask(store, "anna", "berta", "anna")).toEqual([true, true, true]);
    expect(received().slice(LOGIN)).toEqual([
      'GETQUOTAROOT "user/anna"',
      'GETQUOTAROOT "user/berta"',
      'GETQUOTAROOT "user/anna"',
    ]);
  });

  it("is two commands more for an absent user, and one where another has just been confirmed", async () => {
    const store = open();
    await ask(store, "anna");
    received();
    expect(await ask(store, "nobody", "stranger")).toEqual([false, false]);
    expect(received()).toEqual([
      'GETQUOTAROOT "user/nobody"',
      'GETACL "user/anna"',
      'GETACL "user/nobody"',
      'GETQUOTAROOT "user/stranger"',
      'GETACL "user/stranger"',
    ]);
    vi.advanceTimersByTime(1_001);
    expect(await ask(store, "nobody")).toEqual([false]);
    expect(received().slice(1)).toEqual(['GETACL "user/anna"', 'GETACL "user/nobody"']);
  });

  it("is a list of all users while none was found yet, once", async () => {
    const store = open();
    expect(await ask(store, "nobody", "stranger")).toEqual([false, false]);
    expect(received().slice(LOGIN)).toEqual([
      'GETQUOTAROOT "user/nobody"',
      'LIST "" "user/%"',
      'GETACL "user/nobody"',
      'GETQUOTAROOT "user/stranger"',
      'GETACL "user/stranger"',
    ]);
  });

  it("is one of the known users in turn, and all of them on a new connection", async () => {
    const store = open();
    await establish(store, "anna", "berta", "carla");
    await ask(store, "nobody");
    const turns: string[] = [];
    for (let i = 0; i < 3; i++) {
      vi.advanceTimersByTime(1_001);
      received();
      await ask(store, "nobody");
      turns.push(...received().slice(1, -1));
    }
    expect(turns.sort()).toEqual(['GETACL "user/anna"', 'GETACL "user/berta"', 'GETACL "user/carla"']);
    server.cut();
    await vi.waitFor(async () => expect(await ask(store, "nobody")).toEqual([false]));
    expect(received().slice(-4, -1)).toEqual(['GETACL "user/anna"', 'GETACL "user/berta"', 'GETACL "user/carla"']);
  });
});

describe("a list of mailboxes", () => {
  it("that is empty makes none absent, neither users found before nor others", async () => {
    const store = open();
    await establish(store, "anna", "berta");
    listed.clear();
    server.cut();
    const lost = expect.stringMatching(
      /^denied: imap: 2 of 2 mailboxes found earlier no longer exist on 127\.0\.0\.1.*mailboxes\.db/,
    );
    const one = expect.stringMatching(
      /^denied: imap: 1 of 2 mailboxes found earlier no longer exist on 127\.0\.0\.1.*mailboxes\.db/,
    );
    expect(await ask(store, "nobody", "stranger")).toEqual([lost, lost]);
    vi.advanceTimersByTime(1_001);
    expect(await ask(store, "anna", "nobody")).toEqual([one, one]);
    vi.advanceTimersByTime(3_600_000);
    expect(await ask(store, "nobody")).toEqual([lost]);
    listed = new Set(["user/anna", "user/berta"]);
    vi.advanceTimersByTime(1_001);
    expect(await ask(store, "nobody", "anna")).toEqual([false, true]);
  });

  it("that is empty from the beginning makes none absent", async () => {
    listed.clear();
    const store = open();
    const empty = expect.stringMatching(/^denied: imap: 127\.0\.0\.1 lists no mailboxes/);
    expect(await ask(store, "anna", "nobody")).toEqual([empty, empty]);
    listed.add("user/anna");
    vi.advanceTimersByTime(1_001);
    expect(await ask(store, "anna", "nobody")).toEqual([true, false]);
  });

  it("that is filled while a name is looked up makes it found by the second look", async () => {
    const store = open();
    expect(await ask(store, "anna")).toEqual([true]);
    listed.clear();
    server.cut();
    const script = server.script;
    const fillFor = (name: string) => {
      server.script = (command) => {
        if (command === 'GETACL "user/anna"') listed.add("user/anna").add(name);
        return script(command);
      };
    };
    fillFor("user/berta");
    expect(await ask(store, "berta")).toEqual([true]);
    listed.clear();
    server.cut();
    fillFor("news");
    const news: MailboxId = { kind: "shared", domain: null, folders: ["news"], address: "", detail: "news" };
    expect(await store.lookup(news, new Lookup())).toMatchObject({ exists: true, rights: "lrsp" });
  });

  it("holds places in the hierarchy, which are no mailboxes", async () => {
    table['LIST "" "user/%"'] =
      '* LIST (\\NonExistent \\HasChildren) "/" user/x\r\n* LIST (\\Noselect) "/" user/y\r\nTAG OK\r\n';
    expect(await ask(open(), "nobody")).toEqual([expect.stringMatching(/lists no mailboxes/)]);
  });

  it("that comes too late is not asked for again at once", async () => {
    table['LIST "" "user/%"'] = "";
    const store = open({ smmap_query_timeout: "1s" });
    expect(await ask(store, "nobody")).toEqual([expect.stringMatching(/^timeout: imap: no answer to LIST/)]);
    expect(await ask(store, "nobody")).toEqual([
      expect.stringMatching(/^denied: imap: absence cannot be confirmed: no existing mailbox is known yet/),
    ]);
    expect(await ask(store, "anna", "nobody")).toEqual([true, false]);
  });

  it("without a single known user holds absences back for a minute, and then takes the user for deleted", async () => {
    const store = open();
    await establish(store, "anna", "berta", "carla");
    await ask(store, "nobody");
    listed.delete("user/berta");
    const said: unknown[] = [];
    for (let second = 0; second < 70; second++) {
      vi.advanceTimersByTime(1_001);
      said.push(...(await ask(store, "nobody")));
    }
    const held = said.filter((each) => each !== false);
    expect(held.length).toBeGreaterThanOrEqual(59);
    expect(held).toEqual(
      held.map(() => expect.stringMatching(/1 of 3 mailboxes found earlier no longer exist.*user\/berta/)),
    );
    expect(said.at(-1)).toBe(false);
    expect(logged).toEqual([expect.stringMatching(/user\/berta no longer exists.*treated as deleted/)]);
  });

  it("without the only known user takes it for deleted after a minute where it holds others", async () => {
    listed = new Set(["user/anna"]);
    const store = open();
    await establish(store, "anna");
    await ask(store, "nobody");
    listed = new Set(["user/berta"]);
    vi.advanceTimersByTime(1_001);
    expect(await ask(store, "nobody")).toEqual([
      expect.stringMatching(/1 of 1 mailboxes found earlier no longer exist/),
    ]);
    vi.advanceTimersByTime(60_001);
    expect(await ask(store, "nobody")).toEqual([false]);
    vi.advanceTimersByTime(1_001);
    received();
    expect(await ask(store, "nobody")).toEqual([false]);
    expect(received().at(-2)).toBe('GETACL "user/berta"');
  });

  it("without some users found just now makes others absent, and none when it shows none of them", async () => {
    const store = open();
    await ask(store, "anna", "berta");
    listed.delete("user/anna");
    vi.advanceTimersByTime(1_001);
    expect(await ask(store, "nobody")).toEqual([false]);
    listed.clear();
    server.cut();
    vi.advanceTimersByTime(1_001);
    const empty = expect.stringMatching(/^denied: imap: 127\.0\.0\.1 lists no mailboxes/);
    expect(await ask(store, "nobody", "berta")).toEqual([empty, empty]);
  });

  it("without a known user that is asked for makes it absent where the others are there, and forgets it", async () => {
    const store = open();
    await establish(store, "anna", "berta");
    listed.delete("user/anna");
    expect(await ask(store, "anna", "nobody")).toEqual([false, false]);
    listed.add("user/anna");
    expect(await ask(store, "anna")).toEqual([true]);
  });
});

describe("a frontend of a murder", () => {
  it("that lists what a backend does not know makes it not absent, and says whose rights to look at", async () => {
    held = new Set();
    expect(await ask(open(), "anna", "nobody")).toEqual([
      expect.stringMatching(
        /^denied: imap: 127\.0\.0\.1 lists a mailbox.*being moved, or admin is missing from admins/,
      ),
      false,
    ]);
  });

  it.each(["TAG NO Mailbox is currently reserved\r\n", "TAG NO Permission denied\r\n", "TAG NO\r\n"])(
    "that answers GETACL by %j makes nothing absent",
    async (answer) => {
      table['GETACL "user/nobody"'] = answer;
      expect(await ask(open(), "nobody")).toEqual([expect.stringMatching(/^denied: imap: the server refused GETACL/)]);
    },
  );
});

describe("a server with MUPDATE= in its capabilities", () => {
  const freespace = "/shared/vendor/cmu/cyrus-imapd/freespace";
  const answersFreespace = (value: string) => `* METADATA "" (${freespace} ${value})\r\nTAG OK done\r\n`;

  beforeEach(() => {
    table.CAPABILITY = "* CAPABILITY IMAP4rev1 RIGHTS=kxten MUPDATE=mupdate://m.test/\r\nTAG OK done\r\n";
    table.GETMETADATA = DONE;
  });

  it("is a frontend where it has no room for mail", async () => {
    expect(await ask(open(), "anna", "nobody")).toEqual([true, false]);
    expect(server.received).toContain(`GETMETADATA "" "${freespace}"`);
    table.GETMETADATA = answersFreespace("NIL");
    expect(await ask(open(), "anna", "nobody")).toEqual([true, false]);
  });

  it("is asked for a known user with each absence, because its list changes while it serves", async () => {
    const store = open();
    await ask(store, "anna");
    received();
    expect(await ask(store, "nobody", "stranger")).toEqual([false, false]);
    expect(received()).toEqual([
      'GETQUOTAROOT "user/nobody"',
      'GETACL "user/anna"',
      'GETACL "user/nobody"',
      'GETQUOTAROOT "user/stranger"',
      'GETACL "user/anna"',
      'GETACL "user/stranger"',
    ]);
  });

  it("is refused where it has room for mail, unless that is meant", async () => {
    table.GETMETADATA = answersFreespace('"24681644"');
    const refused = expect.stringMatching(/^denied: imap: 127\.0\.0\.1 is a backend of a murder.*name a frontend/);
    for (const meant of ["auto", "frontend"]) {
      expect(await ask(open({ smmap_imap_murder: meant }), "anna", "nobody")).toEqual([refused, refused]);
    }
    for (const meant of ["backend", "unified"]) {
      expect(await ask(open({ smmap_imap_murder: meant }), "anna", "nobody")).toEqual([true, false]);
    }
  });

  it.each(["TAG BAD Unrecognized command\r\n", "TAG NO no\r\n"])(
    "that answers GETMETADATA by %j makes nothing absent, unless it is said what it is",
    async (answer) => {
      table.GETMETADATA = answer;
      const unknown = expect.stringMatching(/^denied: imap: absence cannot be confirmed: .*set smmap_imap_murder/);
      expect(await ask(open(), "anna", "nobody")).toEqual([true, unknown]);
      expect(await ask(open({ smmap_imap_murder: "frontend" }), "anna", "nobody")).toEqual([true, false]);
    },
  );
});

describe("a server after the first", () => {
  it("may say that a mailbox exists, and not that it is absent, unless it is complete", async () => {
    const gone = await ScriptedImap.start();
    const { port } = gone;
    await gone.close();
    const lagging = expect.stringMatching(/^denied: imap: absence cannot be confirmed: 127\.0\.0\.1 is not the first/);
    const second = `127.0.0.1:${server.port}`;
    const servers = (suffix: string) => ({ smmap_imap_server: `127.0.0.1:${port} ${second}${suffix}` });
    expect(await ask(open(servers("")), "anna", "nobody")).toEqual([true, lagging]);
    expect(await ask(open(servers("/plain")), "anna", "nobody")).toEqual([true, lagging]);
    expect(await ask(open(servers("/complete")), "anna", "nobody")).toEqual([true, false]);
    expect(await ask(open(servers("/complete/plain")), "anna", "nobody")).toEqual([true, false]);
  });

  it("does not refuse a shared folder for missing rights, unless it is complete", async () => {
    const gone = await ScriptedImap.start();
    const { port } = gone;
    await gone.close();
    listed.add("news");
    const script = server.script;
    server.script = (command) => (command === 'GETACL "news"' ? `* ACL news anyone lrs\r\n${DONE}` : script(command));
    const news: MailboxId = { kind: "shared", domain: null, folders: ["news"], address: "", detail: "news" };
    const servers = (suffix: string) => ({ smmap_imap_server: `127.0.0.1:${port} 127.0.0.1:${server.port}${suffix}` });
    await expect(open(servers("")).lookup(news, new Lookup())).rejects.toMatchObject({
      code: "denied",
      message: expect.stringContaining("missing rights on a shared folder are not confirmed"),
    });
    expect(await open(servers("/complete")).lookup(news, new Lookup())).toMatchObject({ rights: "lrs" });
  });
});
