/** The text of a site's query: parameters by name and as Cyrus' tokens, and one SELECT only. */
import { describe, expect, it } from "vitest";
import { parseQuery } from "../../../adapters/sql/query-text.ts";
import { sqliteDialect } from "../../../adapters/sqlite/dialect.ts";
import { ConfigError } from "../../../src/store/store.ts";

const parse = (text: string) => parseQuery(text, sqliteDialect, (problem) => new ConfigError(problem));

describe("parameters", () => {
  const cases: [text: string, sql: string, parameters: string[]][] = [
    ["SELECT 1 WHERE a = :address", "SELECT 1 WHERE a = +?", ["address"]],
    ["SELECT 1 WHERE a LIKE :address", "SELECT 1 WHERE a LIKE ?", ["address"]],
    ["SELECT 1 WHERE a glob '%u'", "SELECT 1 WHERE a glob ?", ["userid"]],
    ["SELECT 1 WHERE alike=:address", "SELECT 1 WHERE alike=+?", ["address"]],
    ["SELECT :userid,:localpart,:domain", "SELECT +?,+?,+?", ["userid", "localpart", "domain"]],
    ["SELECT :detail||:mailbox||:detail", "SELECT +?||+?||+?", ["detail", "mailbox", "detail"]],
    ["SELECT 1 WHERE a = %u AND b = %U", "SELECT 1 WHERE a = +? AND b = +?", ["userid", "localpart"]],
    ["SELECT 1 WHERE a='%u'", "SELECT 1 WHERE a=+?", ["userid"]],
    ['SELECT 1 WHERE a="%d"', "SELECT 1 WHERE a=+?", ["domain"]],
    ["SELECT %R, %1, '%2', %9", "SELECT +?, +?, +?, +?", ["atdomain", "label1", "label2", "label9"]],
    ["SELECT %U||'@'||%d", "SELECT +?||'@'||+?", ["localpart", "domain"]],
    // What only looks like one.
    ["SELECT ':addresses', \"%u-x\", [:x], `%u`", "SELECT ':addresses', \"%u-x\", [:x], `%u`", []],
    ["SELECT 'it''s :address' -- :nobody %u\n, 2", "SELECT 'it''s :address'   , 2", []],
    ["SELECT 1 /* %u :x ' ; */ + 1", "SELECT 1   + 1", []],
    ["SELECT 7 % 2, 7 %10, 7 %% 2, a %users FROM t", "SELECT 7 % 2, 7 %10, 7 % 2, a %users FROM t", []],
    ["SELECT 1 WHERE a LIKE '%foo%%u%%'", "SELECT 1 WHERE a LIKE '%foo%u%'", []],
    ["SELECT j ->> '$.a'", "SELECT j ->> '$.a'", []],
    ["SELECT ümlaut FROM größe", "SELECT ümlaut FROM größe", []],
  ];
  it.each(cases)("of %s", (text, sql, parameters) => {
    expect(parse(text)).toEqual({ text, sql, parameters });
  });
});

describe("statements that only read", () => {
  it.each([
    "select 1",
    "SELECT 1;",
    "SELECT 1 ; -- at last\n /* nothing */ ",
    "VALUES (1)",
    "-- first of all\nSELECT 1",
    "WITH a AS (SELECT 1) SELECT * FROM a",
    "WITH RECURSIVE a(b) AS (SELECT 1 UNION SELECT b FROM a) SELECT b FROM a",
    "SELECT replace(a, 'INSERT', 'DELETE') AS active FROM t",
  ])("%s", (text) => {
    expect(parse(text).text).toBe(text);
  });
});

describe("a query is refused:", () => {
  const cases: [text: string, problem: RegExp][] = [
    ["", /not one SELECT/],
    ["-- SELECT 1", /not one SELECT/],
    ["DELETE FROM t", /not one SELECT/],
    ["INSERT INTO t VALUES (1) RETURNING 1", /not one SELECT/],
    ["WITH a AS (SELECT 1) DELETE FROM t RETURNING 1", /not one SELECT/],
    ["WITH a AS (SELECT 1) UPDATE t SET x = 1 RETURNING 1", /not one SELECT/],
    ["WITH a AS (SELECT 1)", /not one SELECT/],
    ["PRAGMA journal_mode = DELETE", /not one SELECT/],
    ["ATTACH 'x' AS y", /not one SELECT/],
    ["CREATE TEMP TABLE x AS SELECT 1", /not one SELECT/],
    ["EXPLAIN SELECT 1", /not one SELECT/],
    ["BEGIN", /not one SELECT/],
    ["SELECT 1; SELECT 2", /more than one statement/],
    ["SELECT 1; DROP TABLE mailboxes", /more than one statement/],
    ["SELECT 1;;", /more than one statement/],
    ["SELECT 'open", /' that is never closed/],
    ['SELECT "open', /" that is never closed/],
    ["SELECT [open", /\[ that is never closed/],
    ["SELECT :adress", /:adress is no parameter: the parameters are :address :userid/],
    ["SELECT ?", /\? is no parameter/],
    ["SELECT 1 FROM m WHERE a = ':address'", /the text ':address' is the same for every address/],
    ["SELECT ?1", /\?1 is no parameter/],
    ["SELECT @address", /@address is no parameter/],
    ["SELECT $address", /\$address is no parameter/],
    ["SELECT 1 WHERE a = '%u-x'", /the text '%u-x' contains %u: write %%u/],
    ["SELECT 1 WHERE a = '%U@%d'", /the text '%U@%d' contains %U/],
    ["SELECT 1 WHERE a LIKE '%users'", /contains %u/],
  ];
  it.each(cases)("%s", (text, problem) => {
    expect(() => parse(text)).toThrow(ConfigError);
    expect(() => parse(text)).toThrow(problem);
  });
});
