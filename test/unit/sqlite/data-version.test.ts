/** The data version of a database: it stays the same without a write, and changes with every change of the file. */
import { copyFileSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate as turn } from "node:timers/promises";
import type { Database } from "better-sqlite3";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createNativeDatabase, openSqliteStore } from "../../../fixtures/sqlite-database.ts";
import { Lookup } from "../../../src/store/lookup.ts";
import { type MailboxStore, StoreError } from "../../../src/store/store.ts";

let directory: string;
let path: string;
let store: MailboxStore;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "sqlite-data-version-"));
  path = join(directory, "mailboxes.db");
});

afterEach(async () => {
  await store.close();
  rmSync(directory, { recursive: true });
});

function create(journal: string, at = path): Database {
  const database = createNativeDatabase(at);
  database.pragma(`journal_mode = ${journal}`);
  // A locked file is reported at once.
  database.pragma("busy_timeout = 0");
  database.exec("INSERT INTO mailboxes (user, storage_limit) VALUES ('fred', 1), ('betty', 1)");
  return database;
}

function look() {
  const fred = { kind: "user", user: "fred", domain: null, folders: [], address: "fred", detail: null } as const;
  return store.lookup(fred, new Lookup());
}

/** The data version after the first look-up of a tick of the event loop; null while the file cannot be read. */
async function dataVersion(): Promise<number | null> {
  await turn();
  try {
    void look();
    return store.dataVersion?.() ?? null;
  } catch (error) {
    if (error instanceof StoreError) return null;
    throw error;
  } finally {
    await turn();
  }
}

describe.each(["delete", "wal"])("in journal mode %s", (journal) => {
  it("stays the same while mailboxes are read, and changes with each write of another program", async () => {
    const writer = create(journal);
    store = openSqliteStore(path);
    const seen = new Set([await dataVersion()]);
    expect(seen).not.toContain(null);
    const unchanged = async () => seen.size === seen.add(await dataVersion()).size;
    expect(await unchanged()).toBe(true);
    for (const sql of [
      "UPDATE mailboxes SET storage_used = 2 WHERE user = 'betty'",
      "DELETE FROM mailboxes WHERE user = 'betty'",
      "INSERT INTO mailboxes (user) VALUES ('betty')",
      "CREATE TABLE other (x)",
    ]) {
      writer.exec(sql);
      expect(await unchanged(), sql).toBe(false);
      expect(await unchanged(), sql).toBe(true);
    }
    writer.close();
  });

  it("never changes within a tick, so that all answers of a tick agree", async () => {
    const writer = create(journal);
    store = openSqliteStore(path);
    const before = await dataVersion();
    expect(store.dataVersion?.()).toBe(null);
    void look();
    expect(store.dataVersion?.()).toBe(before);
    // The read lock of this tick blocks a writer with a rollback journal, but not in WAL mode.
    if (journal === "wal") writer.exec("DELETE FROM mailboxes WHERE user = 'betty'");
    else expect(() => writer.exec("DELETE FROM mailboxes WHERE user = 'betty'")).toThrow(/locked/);
    expect(store.dataVersion?.()).toBe(before);
    await turn();
    writer.exec("DELETE FROM mailboxes WHERE user = 'fred'");
    expect(await dataVersion()).not.toBe(before);
    writer.close();
  });
});

describe("of a site's own query", () => {
  it.each([
    ["SELECT 1 AS active FROM m WHERE name = :localpart", "one"],
    ["SELECT 1 AS active FROM m WHERE name = lower(:localpart) AND name LIKE 'f%'", "one"],
    ["SELECT count(*) AS active FROM m WHERE name = :localpart", "one"],
    ["SELECT 1 AS active FROM m WHERE name = :localpart AND until > datetime('now')", "none"],
    ["SELECT 1 AS active FROM m WHERE name = :localpart AND until > CURRENT_TIMESTAMP", "none"],
    ["SELECT 1 AS active FROM m WHERE name = :localpart AND random() > 0", "none"],
    ["SELECT 1 AS active FROM valid WHERE name = :localpart", "none"],
    ["SELECT 1 AS active FROM json_each('[\"fred\"]') WHERE value = :localpart", "none"],
  ])("%s has a data version: %s", async (query, wanted) => {
    const database = create("delete");
    database.exec(`CREATE TABLE m (name TEXT PRIMARY KEY, until TEXT);
      INSERT INTO m VALUES ('fred', NULL);
      CREATE VIEW valid AS SELECT name FROM m WHERE until > datetime('now')`);
    database.close();
    store = openSqliteStore(path, { smmap_sql_query: query });
    expect(await dataVersion()).toEqual(wanted === "one" ? expect.any(Number) : null);
  });
});

describe.each(["delete", "wal"])("a view that is created again, in journal mode %s,", (journal) => {
  let writer: Database;

  beforeEach(() => {
    writer = create(journal);
    writer.exec(`CREATE TABLE a (name TEXT PRIMARY KEY, until INTEGER); INSERT INTO a VALUES ('fred', 1);
      CREATE TABLE b (name TEXT PRIMARY KEY, until INTEGER); CREATE VIEW v AS SELECT * FROM a`);
    store = openSqliteStore(path, { smmap_sql_query: "SELECT 1 AS active FROM v WHERE name = :localpart" });
  });

  afterEach(() => writer.close());

  it("is read by its new definition: empty tables make no user unknown", async () => {
    expect(await dataVersion()).toEqual(expect.any(Number));
    writer.exec("DROP VIEW v; CREATE VIEW v AS SELECT * FROM b");
    expect(() => look()).toThrow(/tables that the query reads are empty.*: b$/);
  });

  it("has no data version once it reads the clock", async () => {
    expect(await dataVersion()).toEqual(expect.any(Number));
    writer.exec("DROP VIEW v; CREATE VIEW v AS SELECT * FROM a WHERE until < unixepoch()");
    expect(await dataVersion()).toBe(null);
  });
});

it("changes when the file is replaced by another one", async () => {
  create("delete").close();
  store = openSqliteStore(path);
  const before = await dataVersion();
  const next = join(directory, "next.db");
  create("delete", next).close();
  renameSync(next, path);
  await expect.poll(dataVersion, { timeout: 5000 }).not.toBe(before);
});

it("changes when the file is overwritten by other means than SQLite", async () => {
  create("delete").close();
  store = openSqliteStore(path);
  const before = await dataVersion();
  const copy = join(directory, "copy.db");
  copyFileSync(path, copy);
  copyFileSync(copy, path);
  await expect.poll(dataVersion, { timeout: 5000 }).not.toBe(before);
});

it("is null while the file is damaged or locked, and another number afterwards", async () => {
  const writer = create("delete");
  store = openSqliteStore(path);
  const before = await dataVersion();
  writer.exec("BEGIN EXCLUSIVE");
  expect(await dataVersion()).toBe(null);
  writer.exec("ROLLBACK");
  writer.close();
  await expect.poll(dataVersion, { timeout: 5000 }).not.toBe(null);
  const whole = join(directory, "whole.db");
  copyFileSync(path, whole);
  writeFileSync(path, "x".repeat(8192));
  await expect.poll(dataVersion, { timeout: 5000 }).toBe(null);
  copyFileSync(whole, path);
  await expect.poll(dataVersion, { timeout: 5000 }).toBeGreaterThan(before ?? 0);
});
