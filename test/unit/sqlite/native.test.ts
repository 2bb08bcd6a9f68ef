/** The native schema: spelling of names, choice of the quota root, and constraints of the tables. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate as turn } from "node:timers/promises";
import type { Database } from "better-sqlite3";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createNativeDatabase, openSqliteStore } from "../../../fixtures/sqlite-database.ts";
import { RecipientParser } from "../../../src/engine/recipient.ts";
import { Lookup } from "../../../src/store/lookup.ts";
import type { MailboxFacts, MailboxId, MailboxStore } from "../../../src/store/store.ts";

let directory: string;
let database: Database;
let store: MailboxStore;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "sqlite-native-"));
  database = createNativeDatabase(join(directory, "mailboxes.db"));
  store = openSqliteStore(database.name);
  database.exec("INSERT INTO mailboxes (user) VALUES ('somebody')");
});

afterEach(async () => {
  await store.close();
  database.close();
  rmSync(directory, { recursive: true });
});

/** The mailbox of an address, in the default domain home.test. */
function identify(address: string, separator: "/" | "." = "/"): MailboxId {
  const rules = {
    virtualDomains: true,
    defaultDomain: "home.test",
    separator,
    downcase: true,
    postuser: "",
    skipPlus: false,
  };
  const mailbox = new RecipientParser(rules).parse(Buffer.from(address).toString("latin1"));
  if (mailbox.kind === "none") throw new Error(mailbox.reason);
  return mailbox;
}

/** The read transaction of look-ups ends with the tick of the event loop. */
async function facts(address: string, separator?: "/" | "."): Promise<MailboxFacts> {
  try {
    return await store.lookup(identify(address, separator), new Lookup());
  } finally {
    await turn();
  }
}

const exists = async (address: string, separator?: "/" | ".") => (await facts(address, separator)).exists;

/** The name of the quota root of an address; each root has a limit of its own. */
async function rootOf(address: string): Promise<string | undefined> {
  const found = await facts(address);
  return found.exists ? found.quotas[0]?.root : "absent";
}

describe("names", () => {
  it("are those of the address, with an empty domain for the default domain", async () => {
    database.exec("INSERT INTO mailboxes (domain, user) VALUES ('', 'fred'), ('dom.test', 'betty')");
    expect(await exists("fred@home.test")).toBe(true);
    expect(await exists("fred")).toBe(true);
    expect(await exists("betty@dom.test")).toBe(true);
    expect(await exists("fred@dom.test")).toBe(false);
    expect(await exists("betty")).toBe(false);
  });

  it("do not distinguish dot and caret in users and in levels, with either separator", async () => {
    database.exec("INSERT INTO mailboxes (user, folder) VALUES ('a.b', ''), ('a.b', 'v1.2/x.y')");
    for (const address of ["a.b", "a^b", "a.b+v1.2/x.y", "a^b+v1^2/x.y"]) expect(await exists(address)).toBe(true);
    for (const address of ["a.b", "a^b", "a.b+v1^2.x^y"]) expect(await exists(address, ".")).toBe(true);
    expect(await exists("a.b+v1.2.x.y", ".")).toBe(false);
    expect(await exists("a.b+v1.2.x.y")).toBe(false);
  });

  it("distinguish a slash within a level from one between levels", async () => {
    database.exec("INSERT INTO mailboxes (user, folder) VALUES ('fred', 'a/b')");
    expect(await exists("fred+a.b", ".")).toBe(true);
    expect(await exists("fred+a/b", ".")).toBe(false);
    expect(await exists("fred/a+b")).toBe(false);
    expect(await exists("fred+a/b")).toBe(true);
  });

  it("keep case and Unicode of folders", async () => {
    database.exec("INSERT INTO mailboxes (user, folder) VALUES ('fred', 'Entwürfe/日本語'), ('ä', '')");
    expect(await exists("Fred+Entwürfe/日本語")).toBe(true);
    expect(await exists("fred+entwürfe/日本語")).toBe(false);
    expect(await exists("ä")).toBe(true);
  });

  it("need neither an INBOX nor a parent for a folder", async () => {
    database.exec("INSERT INTO mailboxes (user, folder) VALUES ('hoppy', 'A/B')");
    expect(await exists("hoppy+A/B")).toBe(true);
    expect(await exists("hoppy+A")).toBe(false);
    expect(await exists("hoppy")).toBe(false);
  });
});

it("lists the folders of a mailbox' owner in their own spelling", async () => {
  database.exec(`INSERT INTO mailboxes (domain, user, folder) VALUES ('', 'a.b', ''), ('', 'a.b', 'Lists/Dev'),
    ('', 'a.b', 'v1.2'), ('dom.test', 'a.b', 'Other'), ('', '', 'Public/Staff')`);
  const similar = async (address: string) => store.similarFolders?.(identify(address), new Lookup());
  expect(await similar("a^b+lists")).toEqual([["Lists", "Dev"], ["v1.2"]]);
  expect(await similar("a.b+x@dom.test")).toEqual([["Other"]]);
  expect(await similar("+public/staff")).toEqual([["Public", "Staff"]]);
  expect(await similar("+user/a.b/LISTS")).toEqual([
    ["user", "a.b", "Lists", "Dev"],
    ["user", "a.b", "v1.2"],
  ]);
  expect(await similar("nobody+x")).toEqual([]);
});

describe("rights", () => {
  it("apply to shared folders, and NULL means none", async () => {
    database.exec(
      "INSERT INTO mailboxes (folder, rights) VALUES ('Public/Staff', 'lp'), ('Public', NULL), ('Public/X', '')",
    );
    expect(await facts("+Public/Staff")).toEqual({ exists: true, rights: "lp", quotas: [] });
    expect(await facts("+Public")).toEqual({ exists: true, rights: "", quotas: [] });
    expect(await facts("+Public/X")).toEqual({ exists: true, rights: "", quotas: [] });
    expect(await exists("+Staff")).toBe(false);
  });

  it("apply to a user's folder that is addressed as a shared one", async () => {
    database.exec(
      "INSERT INTO mailboxes (user, folder, rights) VALUES ('a.b', '', 'p'), ('a.b', 'Lists', 'l'), ('fred', '', NULL)",
    );
    expect(await facts("a.b+Lists")).toEqual({ exists: true, rights: null, quotas: [] });
    expect(await facts("+user/a.b")).toEqual({ exists: true, rights: "p", quotas: [] });
    expect(await facts("+user/a^b/Lists")).toEqual({ exists: true, rights: "l", quotas: [] });
    expect(await facts("+user.a^b.Lists", ".")).toEqual({ exists: true, rights: "l", quotas: [] });
    expect(await facts("+user/fred")).toEqual({ exists: true, rights: "", quotas: [] });
    expect(await exists("+user/nobody")).toBe(false);
    expect(await exists("+user")).toBe(false);
  });

  it("that are not letters are an error", async () => {
    database.exec("INSERT INTO mailboxes (folder, rights) VALUES ('Public', 'anyone lrsp')");
    await expect(facts("+Public")).rejects.toThrow("sqlite: Public: column rights is the text 'anyone lrsp'");
  });
});

describe("the quota root", () => {
  const insert = (domain: string, user: string, folder: string, limit = 1) =>
    database
      .prepare(`INSERT INTO mailboxes (domain, user, folder, storage_limit, takes_mail) VALUES (?, ?, ?, ?, 0)
        ON CONFLICT DO UPDATE SET storage_limit = excluded.storage_limit`)
      .run(domain, user, folder, limit);
  const mailbox = (domain: string, user: string, folder: string) =>
    database
      .prepare("INSERT INTO mailboxes (domain, user, folder, rights) VALUES (?, ?, ?, 'p')")
      .run(domain, user, folder);

  it("is the nearest one of the mailbox' owner", async () => {
    for (const folder of ["", "A", "A/B", "A/B/C", "A-B", "AA", "A/BB"]) mailbox("", "fred", folder);
    expect(await rootOf("fred+A/B")).toBe(undefined);
    insert("", "fred", "");
    expect(await rootOf("fred+A/B")).toBe("fred");
    insert("", "fred", "A");
    insert("", "fred", "A/B");
    expect(await rootOf("fred")).toBe("fred");
    expect(await rootOf("fred+A")).toBe("fred/A");
    expect(await rootOf("fred+A/B")).toBe("fred/A/B");
    expect(await rootOf("fred+A/B/C")).toBe("fred/A/B");
    // Names that only begin alike, on either side in the order of the index.
    expect(await rootOf("fred+A-B")).toBe("fred");
    expect(await rootOf("fred+AA")).toBe("fred");
    expect(await rootOf("fred+A/BB")).toBe("fred/A");
  });

  it("of a shared folder is on its path", async () => {
    for (const folder of ["Public", "Public/A/B", "Publicity", "Zoo"]) mailbox("", "", folder);
    insert("", "", "Public");
    insert("", "", "Public/A");
    insert("", "", "Aardvark");
    expect(await rootOf("+Public")).toBe("Public");
    expect(await rootOf("+Public/A/B")).toBe("Public/A");
    expect(await rootOf("+Publicity")).toBe(undefined);
    expect(await rootOf("+Zoo")).toBe(undefined);
  });

  it("is that of the whole domain if there is no nearer one, except in the default domain", async () => {
    mailbox("dom.test", "fred", "");
    mailbox("dom.test", "fred", "A");
    mailbox("dom.test", "betty", "");
    mailbox("", "fred", "");
    insert("dom.test", "", "");
    expect(await rootOf("fred@dom.test")).toBe("@dom.test");
    expect(await rootOf("fred+A@dom.test")).toBe("@dom.test");
    expect(await rootOf("fred")).toBe(undefined);
    insert("dom.test", "fred", "");
    expect(await rootOf("fred@dom.test")).toBe("fred@dom.test");
    expect(await rootOf("fred+A@dom.test")).toBe("fred@dom.test");
    expect(await rootOf("betty@dom.test")).toBe("@dom.test");
  });

  it("hides the roots above it even if it has no limit", async () => {
    mailbox("dom.test", "fred", "A");
    insert("dom.test", "", "");
    insert("dom.test", "fred", "A", -1);
    expect(await facts("fred+A@dom.test")).toEqual({ exists: true, rights: null, quotas: [] });
  });

  it("may be a row that is no mailbox", async () => {
    mailbox("", "fred", "A/B");
    insert("", "fred", "");
    expect(await rootOf("fred+A/B")).toBe("fred");
    insert("", "fred", "A");
    expect(await rootOf("fred+A/B")).toBe("fred/A");
    expect(await rootOf("fred+A")).toBe("absent");
    expect(await rootOf("fred")).toBe("absent");
    expect(await store.similarFolders?.(identify("fred+a"), new Lookup())).toEqual([["A", "B"]]);
  });

  it("limits octets and messages exactly", async () => {
    mailbox("", "fred", "");
    database.exec(`UPDATE mailboxes SET storage_limit = 9007199254740991, storage_used = 9007199254740990,
      message_limit = 0, message_used = 7 WHERE user = 'fred'`);
    expect(await facts("fred")).toEqual({
      exists: true,
      rights: null,
      quotas: [
        { root: "fred", resource: "STORAGE", used: 9007199254740990, limit: 9007199254740991 },
        { root: "fred", resource: "MESSAGE", used: 7, limit: 0 },
      ],
    });
    database.exec("UPDATE mailboxes SET storage_limit = 9007199254740992");
    await expect(facts("fred")).rejects.toThrow(
      "sqlite: fred: column storage_limit is 9007199254740992, not a whole number",
    );
  });

  it("of 0 is no limit with smmap_quota_zero: unlimited", async () => {
    mailbox("", "fred", "");
    insert("", "fred", "", 0);
    expect(await facts("fred")).toMatchObject({ quotas: [{ limit: 0 }] });
    await store.close();
    store = openSqliteStore(database.name, { smmap_quota_zero: "unlimited" });
    expect(await facts("fred")).toMatchObject({ quotas: [] });
  });
});

it("reports no mailbox as absent while the table is empty", async () => {
  database.exec("DELETE FROM mailboxes");
  await expect(facts("fred")).rejects.toThrow("sqlite: the table mailboxes is empty");
  database.exec("INSERT INTO mailboxes (user) VALUES ('betty')");
  expect(await exists("fred")).toBe(false);
});

describe("the tables refuse", () => {
  it.each([
    "INSERT INTO mailboxes (user) VALUES ('fred@dom.test')",
    "INSERT INTO mailboxes (user) VALUES ('a^b')",
    "INSERT INTO mailboxes (user) VALUES (x'66726564')",
    "INSERT INTO mailboxes (user, folder) VALUES ('fred', '/A')",
    "INSERT INTO mailboxes (user, folder) VALUES ('fred', 'A/')",
    "INSERT INTO mailboxes (user, folder) VALUES ('fred', 'A//B')",
    "INSERT INTO mailboxes (user, folder) VALUES ('fred', 'v1^2')",
    "INSERT INTO mailboxes (domain) VALUES ('dom.test')",
    "INSERT INTO mailboxes (folder) VALUES ('user/fred')",
    "INSERT INTO mailboxes (domain, user) VALUES ('@dom.test', 'fred')",
    "INSERT INTO mailboxes (user, rights) VALUES ('fred', x'70')",
    "INSERT INTO mailboxes (storage_limit, takes_mail) VALUES (1, 0)",
    "INSERT INTO mailboxes (user, takes_mail) VALUES ('fred', 2)",
    "INSERT INTO mailboxes (user, takes_mail) VALUES ('fred', NULL)",
    "INSERT INTO mailboxes (user, storage_limit) VALUES ('fred', -2)",
    "INSERT INTO mailboxes (user, storage_limit) VALUES ('fred', 1.5)",
    "INSERT INTO mailboxes (user, storage_limit) VALUES ('fred', '1 GB')",
    "INSERT INTO mailboxes (user, storage_used) VALUES ('fred', NULL)",
    "INSERT INTO mailboxes (user, message_used) VALUES ('fred', -1)",
    "INSERT INTO mailboxes (user, message_limit) VALUES ('fred', 'none')",
  ])("%s", (sql) => {
    expect(() => database.exec(sql)).toThrow(/constraint failed/);
  });
});
