/** A site's own queries: values of the parameters, meaning of the columns, and errors. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate as turn } from "node:timers/promises";
import SqliteDatabase, { type Database } from "better-sqlite3";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openSqliteStore } from "../../../fixtures/sqlite-database.ts";
import { RecipientParser } from "../../../src/engine/recipient.ts";
import { Lookup } from "../../../src/store/lookup.ts";
import { type Log, type MailboxFacts, type MailboxStore, StoreError } from "../../../src/store/store.ts";

let directory: string;
let database: Database;
let logged: string[];
const stores: MailboxStore[] = [];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "sqlite-site-"));
  database = new SqliteDatabase(join(directory, "site.db"));
  database.exec("CREATE TABLE unasked (so_that_the_file_is_not_empty)");
  logged = [];
});

afterEach(async () => {
  await Promise.all(stores.splice(0).map((store) => store.close()));
  database.close();
  rmSync(directory, { recursive: true });
});

function open(options: Readonly<Record<string, string>>): MailboxStore {
  const note = (level: string) => (message: string) => logged.push(`${level}: ${message}`);
  const log: Log = {
    error: note("error"),
    warning: note("warning"),
    notice: note("notice"),
    info: note("info"),
    debug: note("debug"),
  };
  const store = openSqliteStore(database.name, options, log);
  stores.push(store);
  return store;
}

const rules = {
  virtualDomains: true,
  defaultDomain: "home.test",
  separator: "/",
  downcase: true,
  postuser: "bb",
  skipPlus: false,
} as const;

function ask(store: MailboxStore, address: string): MailboxFacts | Promise<MailboxFacts> {
  const mailbox = new RecipientParser(rules).parse(Buffer.from(address).toString("latin1"));
  if (mailbox.kind === "none") throw new Error(mailbox.reason);
  return store.lookup(mailbox, new Lookup());
}

/** A query has to name a parameter. */
const anybody = "WHERE :address <> ''";

/** The facts of one row with these columns. */
function factsOf(
  columns: string,
  options: Readonly<Record<string, string>> = {},
): MailboxFacts | Promise<MailboxFacts> {
  return ask(open({ smmap_sql_query: `SELECT ${columns} ${anybody}`, ...options }), "fred");
}

const free = { exists: true, rights: null, quotas: [] };

describe("parameters", () => {
  it.each([
    [
      "Fred@Mail.Dom.test",
      "fred@mail.dom.test",
      "fred@mail.dom.test",
      "fred",
      "mail.dom.test",
      "",
      "mail.dom.test!user.fred",
    ],
    ["fred@home.test", "fred@home.test", "fred", "fred", "home.test", "", "user.fred"],
    ["fred", "fred", "fred", "fred", "", "", "user.fred"],
    ["a.b+", "a.b", "a.b", "a.b", "", "", "user.a^b"],
    ["a@b+X/y.Z@dom.test", "a@b@dom.test", "a@b@dom.test", "a@b", "dom.test", "X/y.Z", "dom.test!user.a@b.X.y^Z"],
    ["fred+Ä", "fred", "fred", "fred", "", "Ä", "user.fred.&AMQ-"],
    ["bb+Public/Staff@home.test", "bb@home.test", "bb", "bb", "home.test", "Public/Staff", "Public.Staff"],
  ])("of %s", async (written, address, userid, localpart, domain, detail, mailbox) => {
    database.exec("CREATE TABLE asked (address, userid, localpart, domain, detail, mailbox)");
    database
      .prepare("INSERT INTO asked VALUES (?, ?, ?, ?, ?, ?)")
      .run(address, userid, localpart, domain, detail, mailbox);
    const query = `SELECT 'p' AS rights FROM asked WHERE address = :address AND userid = :userid
      AND localpart = :localpart AND domain = :domain AND detail = :detail AND mailbox = :mailbox`.replaceAll(
      /\s+/g,
      " ",
    );
    const store = open({ smmap_sql_query: query, smmap_sql_shared_query: query });
    expect(await ask(store, written)).toEqual({ exists: true, rights: "p", quotas: [] });
    expect(await ask(store, "someone.else")).toEqual({ exists: false });
  });

  it("can be written as Cyrus' tokens", async () => {
    database.exec("CREATE TABLE asked (u, U2, d, R, one, two, three, four)");
    database.exec(
      "INSERT INTO asked VALUES ('fred@mail.dom.test', 'fred', 'mail.dom.test', '@mail.dom.test', 'test', 'dom', 'mail', '')",
    );
    database.exec("INSERT INTO asked VALUES ('fred', 'fred', '', '', '', '', '', '')");
    const store = open({
      smmap_sql_query:
        "SELECT 1 AS active FROM asked WHERE u = '%u' AND U2 = %U AND d = %d AND R = %R AND one = %1 AND two = %2 AND three = %3 AND four = '%4'",
    });
    expect(await ask(store, "fred@mail.dom.test")).toEqual(free);
    expect(await ask(store, "fred")).toEqual(free);
    expect(await ask(store, "fred@dom.test")).toEqual({ exists: false });
  });

  it("never become part of the text", async () => {
    database.exec("CREATE TABLE m (name TEXT PRIMARY KEY); INSERT INTO m VALUES ('fred'), ('x'' OR ''1''=''1')");
    const store = open({ smmap_sql_query: "SELECT 1 AS active FROM m WHERE name = '%u'" });
    expect(await ask(store, "x' or '1'='1")).toEqual({ exists: false });
    expect(await ask(store, "fred';--")).toEqual({ exists: false });
    expect(await ask(store, "fred")).toEqual(free);
  });
});

describe("columns", () => {
  const limited = (used: number, limit: number) => [{ root: "fred", resource: "STORAGE", used, limit }];
  const counted = (used: number, limit: number) => [{ root: "fred", resource: "MESSAGE", used, limit }];
  it.each([
    ["1 AS active", []],
    ["2 AS active", []],
    ["'x' AS mailbox", []],
    ["NULL AS quota_bytes, 5 AS used_bytes", []],
    ["-1 AS quota_bytes, 5 AS used_bytes", []],
    ["0 AS quota_bytes, 5 AS used_bytes", []],
    ["10 AS quota_bytes, 5 AS used_bytes", limited(5, 10)],
    ["10 AS Quota_KiB, 5 AS USED_BYTES", limited(5, 10240)],
    ["10 AS quota_mib, 5 AS used_kib", limited(5120, 10485760)],
    ["10 AS quota_bytes, NULL AS used_bytes", limited(0, 10)],
    ["10 AS quota_bytes", limited(0, 10)],
    ["3 AS quota_messages, 2 AS used_messages", counted(2, 3)],
    ["0 AS quota_messages, 2 AS used_messages", []],
    ["9 AS used_bytes, 9 AS used_messages", []],
    ["10 AS quota_bytes, 3 AS quota_messages", [...limited(0, 10), ...counted(0, 3)]],
    ["10 AS quota_bytes, 'box' AS mailbox", [{ root: "box", resource: "STORAGE", used: 0, limit: 10 }]],
  ])("%s", async (columns, quotas) => {
    expect(await factsOf(columns)).toEqual({ exists: true, rights: null, quotas });
  });

  it("of 0 are a limit of nothing with smmap_quota_zero: zero", async () => {
    const zero = { smmap_quota_zero: "zero" };
    expect(await factsOf("0 AS quota_bytes, 5 AS used_bytes", zero)).toMatchObject({ quotas: limited(5, 0) });
    expect(await factsOf("0 AS quota_messages", zero)).toMatchObject({ quotas: counted(0, 0) });
  });

  it("state that a mailbox is not active", async () => {
    expect(await factsOf("0 AS active, 'no number' AS used_bytes")).toEqual({ exists: false });
    expect(await factsOf("false AS active")).toEqual({ exists: false });
  });

  it("set rights, also for an ordinary address", async () => {
    expect(await factsOf("'lrsp' AS rights")).toEqual({ exists: true, rights: "lrsp", quotas: [] });
    expect(await factsOf("NULL AS rights")).toEqual(free);
  });

  it("keep their meaning when the table behind a star changes", async () => {
    database.exec("CREATE TABLE m (active, quota_bytes, used_bytes); INSERT INTO m VALUES (1, 10, 5)");
    const store = open({ smmap_sql_query: `SELECT * FROM m ${anybody}` });
    expect(await ask(store, "fred")).toMatchObject({ quotas: limited(5, 10) });
    await turn();
    database.exec(
      "ALTER TABLE m DROP COLUMN quota_bytes; ALTER TABLE m ADD COLUMN quota_bytes; UPDATE m SET quota_bytes = 7",
    );
    expect(await ask(store, "fred")).toMatchObject({ quotas: limited(5, 7) });
    await turn();
    database.exec("ALTER TABLE m DROP COLUMN active");
    expect(() => ask(store, "fred")).toThrow(/no such column: active; correct smmap_sql_query/);
  });

  it.each([
    ["NULL AS active", "column active is NULL"],
    ["'t' AS active", "column active is the text 't'"],
    ["'10' AS quota_bytes", "column quota_bytes is the text '10'"],
    ["10.5 AS quota_bytes", "column quota_bytes is 10.5"],
    ["9007199254740993 AS quota_bytes", "column quota_bytes is 9007199254740992, not a whole number"],
    ["9007199254740 AS quota_kib", "column quota_kib is 9007199254740, not a whole number"],
    ["x'31' AS quota_messages", "column quota_messages is a blob"],
    ["1e999 AS quota_bytes", "column quota_bytes is Infinity"],
    ["-1 AS used_bytes", "column used_bytes is -1"],
    ["0.5 AS used_kib", "column used_kib is 0.5"],
    ["'all' || 'of it' AS used_messages", "column used_messages is the text 'allof it'"],
    ["x'70' AS rights", "column rights is a blob"],
    ["'anyone' AS rights", "column rights is the text 'anyone'"],
    ["5 AS mailbox", "column mailbox is 5"],
    ["1 AS active UNION SELECT 2", "the query gives more than one row"],
  ])("%s are an error", async (columns, problem) => {
    const failed = await Promise.resolve()
      .then(() => factsOf(columns))
      .catch((error: unknown) => error);
    expect(failed).toBeInstanceOf(StoreError);
    expect(failed).toMatchObject({ code: "invalid-data" });
    expect((failed as Error).message).toContain(`sqlite: fred: ${problem}`);
  });

  it("with invalid values in one row do not affect other rows", async () => {
    database.exec(
      "CREATE TABLE m (name TEXT PRIMARY KEY, used_bytes, list); INSERT INTO m VALUES ('fred', -1, '[]'), ('betty', 1, '[')",
    );
    const store = open({
      smmap_sql_query: "SELECT used_bytes, json_array_length(list) AS quota_messages FROM m WHERE name = :userid",
    });
    expect(() => ask(store, "fred")).toThrow("column used_bytes is -1");
    expect(() => ask(store, "betty")).toThrow("malformed JSON");
    expect(await ask(store, "nobody")).toEqual({ exists: false });
  });
});

describe("queries that SQLite rejects", () => {
  it.each([
    [`SELECT username FROM mailbox ${anybody}`, "column username is not one of active, rights, mailbox"],
    [`SELECT active, active FROM mailbox ${anybody}`, "a column occurs twice"],
    [
      `SELECT 1 AS quota_kib, 1 AS quota_mib FROM mailbox ${anybody}`,
      "quota_kib and quota_mib are the same in two units",
    ],
    [
      `SELECT 1 AS used_bytes, 1 AS used_kib FROM mailbox ${anybody}`,
      "used_bytes and used_kib are the same in two units",
    ],
    [`SELECT active FROM mailboxes ${anybody}`, "no such table: mailboxes"],
    [`SELECT enabled AS active FROM mailbox ${anybody}`, "no such column: enabled"],
    [`SELECT readfile('/etc/passwd') AS mailbox ${anybody}`, "no such function: readfile"],
    ["SELECT active FROM mailbox) UNION SELECT (1", 'near ")": syntax error'],
  ])("%s", async (query, problem) => {
    database.exec("CREATE TABLE mailbox (username TEXT PRIMARY KEY, active)");
    let store: MailboxStore;
    try {
      store = open({ smmap_sql_query: query });
    } catch (error) {
      expect(String(error)).toContain(problem);
      return;
    }
    expect(() => ask(store, "fred")).toThrow(problem);
    expect(() => ask(store, "fred")).toThrow(query);
    await expect(store.ping(new Lookup())).rejects.toMatchObject({ code: "invalid-data" });
    expect(logged.filter((line) => line.startsWith("error:") && line.includes(query))).toHaveLength(1);
  });
});

describe("shared folders", () => {
  it("are absent without smmap_sql_shared_query", async () => {
    expect(await ask(open({ smmap_sql_query: `SELECT 1 AS active ${anybody}` }), "bb+Public")).toEqual({
      exists: false,
    });
  });

  it("have the rights of their row, or none if it has none", async () => {
    database.exec(
      "CREATE TABLE shared (name TEXT PRIMARY KEY, letters); INSERT INTO shared VALUES ('A', 'lp'), ('B', ''), ('C', NULL)",
    );
    const store = open({
      smmap_sql_query: `SELECT 1 AS active ${anybody}`,
      smmap_sql_shared_query: "SELECT letters AS rights FROM shared WHERE name = :mailbox",
    });
    expect(await ask(store, "bb+A")).toEqual({ exists: true, rights: "lp", quotas: [] });
    expect(await ask(store, "bb+B")).toEqual({ exists: true, rights: "", quotas: [] });
    expect(await ask(store, "bb+C")).toEqual(free);
    expect(await ask(store, "bb+D")).toEqual({ exists: false });
    expect(logged).toEqual([]);
  });

  it("without a column for rights cause a warning", async () => {
    open({ smmap_sql_query: `SELECT 1 AS active ${anybody}`, smmap_sql_shared_query: `SELECT 1 AS active ${anybody}` });
    expect(logged).toEqual([expect.stringMatching(/^warning: .*smmap_sql_shared_query has no column rights/)]);
  });
});

describe("tables without a row", () => {
  const queries = [
    "SELECT m.active FROM m LEFT JOIN used ON used.name = m.name WHERE m.name = :address",
    "SELECT count(*) > 0 AS active FROM m WHERE name = :address",
    "SELECT 1 AS active WHERE :address IN (SELECT name FROM m) OR :address IN (SELECT name FROM used)",
    "SELECT active FROM present WHERE name = :address",
  ];
  beforeEach(() => {
    database.exec(
      "CREATE TABLE m (name TEXT PRIMARY KEY, active); CREATE TABLE used (name TEXT PRIMARY KEY, octets) WITHOUT ROWID; " +
        "CREATE VIEW present AS SELECT * FROM m WHERE active",
    );
  });

  it.each(queries)("make no user unknown: %s", async (query) => {
    const store = open({ smmap_sql_query: query });
    expect(() => ask(store, "fred")).toThrow(/all tables that the query reads are empty.*: .*\bm\b/);
    expect(() => ask(store, "fred")).toThrow(expect.objectContaining({ code: "invalid-data" }));
    await turn();
    database.exec("INSERT INTO m VALUES ('betty', 1)");
    expect(await ask(store, "fred")).toEqual({ exists: false });
    expect(await ask(store, "betty")).toEqual(free);
    await turn();
    database.exec("DELETE FROM m");
    expect(() => ask(store, "betty")).toThrow("are empty");
  });

  it("do not matter if another table of the query has rows", async () => {
    database.exec("INSERT INTO used VALUES ('betty', 5)");
    const store = open({ smmap_sql_query: queries[2] as string });
    expect(await ask(store, "fred")).toEqual({ exists: false });
  });

  it("do not matter to a query that reads no table or a virtual one", async () => {
    database.exec("CREATE VIRTUAL TABLE words USING fts5(word)");
    for (const query of [
      "SELECT 1 AS active WHERE :address = 'betty'",
      "SELECT 1 AS active FROM words LEFT JOIN m ON m.name = word WHERE word = :address AND m.active IS NULL",
    ]) {
      expect(await ask(open({ smmap_sql_query: query }), "fred")).toEqual({ exists: false });
    }
  });
});

describe("slow queries", () => {
  const fast = [
    "SELECT active FROM m WHERE name = :address",
    "SELECT active FROM m WHERE name IN (:address, :userid) LIMIT 1",
    "SELECT m.active FROM json_each('[1]') j JOIN m ON m.name = :address AND j.value = 1",
    "WITH RECURSIVE hop(name) AS (SELECT :address UNION SELECT a.target FROM hop JOIN alias a ON a.name = hop.name) SELECT m.active FROM hop JOIN m ON m.name = hop.name",
  ];
  const slow = [
    ["SELECT active FROM m WHERE lower(name) = :address", "m"],
    ["SELECT active FROM m WHERE name LIKE :address", "m"],
    ["SELECT active FROM m WHERE active = :address", "m"],
    ["SELECT m.active FROM m JOIN alias a ON a.target = m.name WHERE m.name = :address", "alias"],
  ] as const;
  beforeEach(() => {
    database.exec("CREATE TABLE m (name TEXT PRIMARY KEY, active); CREATE TABLE alias (name TEXT PRIMARY KEY, target)");
  });

  it.each(fast)("do not include %s", (query) => {
    open({ smmap_sql_query: query });
    expect(logged).toEqual([]);
  });

  it.each(slow)("include %s", (query, table) => {
    open({ smmap_sql_query: query });
    expect(logged).toEqual([expect.stringMatching(`^warning: .*the whole of ${table} is read for every request`)]);
    expect(logged[0]).toContain(query);
  });
});
