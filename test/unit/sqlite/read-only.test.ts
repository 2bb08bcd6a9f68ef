/** Statements that a read-only handle would accept: only one that reads and returns rows is prepared. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import SqliteDatabase, { type Database } from "better-sqlite3";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { prepareReading, RefusedStatement, syntaxErrorOf } from "../../../adapters/sqlite/read-only.ts";

const directory = mkdtempSync(join(tmpdir(), "sqlite-read-only-"));
const path = join(directory, "site.db");
let database: Database;

beforeAll(() => {
  const writer = new SqliteDatabase(path);
  writer.exec("CREATE TABLE m (name)");
  writer.close();
  database = new SqliteDatabase(path, { readonly: true });
});
afterAll(() => {
  database.close();
  rmSync(directory, { recursive: true });
});

const prepare = (sql: string) => prepareReading(database, sql, `what somebody wrote: ${sql}`);

it("a statement that reads is prepared", () => {
  expect(prepare("SELECT count(*) AS n FROM m").all()).toEqual([{ n: 0 }]);
});

describe("a statement is refused, with its text in the error:", () => {
  it.each([
    "INSERT INTO m VALUES ('x')",
    "INSERT INTO m VALUES ('x') RETURNING name",
    "WITH x AS (SELECT 1) DELETE FROM m RETURNING name",
    "CREATE TEMP TABLE t AS SELECT 1",
    "ATTACH ':memory:' AS other",
    "PRAGMA journal_mode = DELETE",
    "VACUUM INTO 'copy.db'",
    "BEGIN",
    "SELECT 1; SELECT 2",
    "SELECT name FROM nowhere",
    "SELECT 1 FORM m",
    "",
  ])("%s", (sql) => {
    expect(() => prepare(sql)).toThrow(RefusedStatement);
    expect(() => prepare(sql)).toThrow(`; the query is: what somebody wrote: ${sql}`);
  });
});

it("a syntax error is found without the tables", () => {
  expect(syntaxErrorOf("SELECT a FROM nowhere WHERE b = ?")).toBeNull();
  expect(syntaxErrorOf("SELECT a FORM nowhere")).toBe('near "nowhere": syntax error');
});
