/** Options of imapd.conf: configuration errors, and the capabilities of the store. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { adapter } from "../../../adapters/sqlite/index.ts";
import { openSqliteStore } from "../../../fixtures/sqlite-database.ts";
import { loadConfig } from "../../../src/config/config.ts";
import { ConfigError } from "../../../src/store/store.ts";

const directory = mkdtempSync(join(tmpdir(), "sqlite-config-"));
afterAll(() => rmSync(directory, { recursive: true }));

const path = join(directory, "missing.db");
const open = (options: Readonly<Record<string, string>>) => openSqliteStore(path, options);
const inbox = "SELECT quota AS quota_mib FROM mailbox WHERE username = :address";

describe("a configuration error", () => {
  const cases: [problem: RegExp, options: Record<string, string>][] = [
    [/smmap_sql_query: has more than one statement/, { smmap_sql_query: `${inbox}; DELETE FROM mailbox` }],
    [/smmap_sql_query: near "mailbox": syntax error/, { smmap_sql_query: "SELECT 1 FORM mailbox" }],
    [/smmap_sql_query: incomplete input/, { smmap_sql_query: "SELECT (1" }],
    [/smmap_sql_query: is not one SELECT/, { smmap_sql_query: "DELETE FROM mailbox" }],
    [/smmap_sql_shared_query: :folder is no par/, { smmap_sql_query: inbox, smmap_sql_shared_query: "SELECT :folder" }],
    [/smmap_sql_query: has no parameter/, { smmap_sql_query: "SELECT 1 AS active FROM mailbox" }],
    [
      /smmap_sql_shared_query: has no parameter/,
      { smmap_sql_query: inbox, smmap_sql_shared_query: "SELECT 'p' AS rights" },
    ],
    [/smmap_sql_shared_query: has no effect without smmap_sql_query/, { smmap_sql_shared_query: inbox }],
    [/smmap_sql_busy_timeout: is not from 0 to 1000/, { smmap_sql_busy_timeout: "1001" }],
    [/smmap_sql_busy_timeout: is not from 0 to 1000/, { smmap_sql_busy_timeout: "-1" }],
    [/sql_engine: is not sqlite/, { sql_engine: "mysql" }],
    [/invalid value 'none' for smmap_quota_zero/, { smmap_quota_zero: "none" }],
  ];
  it.each(cases)("matches %s", (problem, options) => {
    expect(() => open(options)).toThrow(ConfigError);
    expect(() => open(options)).toThrow(problem);
  });

  it("is reported if no database is set", () => {
    const file = join(directory, "imapd.conf");
    writeFileSync(file, `configdirectory: ${directory}\n`);
    expect(() => adapter.parse(loadConfig({ file, env: {} }))).toThrow(/sql_database: names the database file/);
  });
});

describe("capabilities", () => {
  const cases: [what: string, options: Record<string, string>, folders: boolean, shared: boolean, quota: string[]][] = [
    ["the native schema", {}, true, true, ["STORAGE", "MESSAGE"]],
    ["a query for the INBOX", { smmap_sql_query: inbox }, false, false, ["STORAGE"]],
    ["a query with :detail", { smmap_sql_query: "SELECT 1 AS active WHERE :detail = 'x'" }, true, false, []],
    [
      "a query with :mailbox",
      { smmap_sql_query: "SELECT quota_messages FROM m WHERE n = :mailbox" },
      true,
      false,
      ["MESSAGE"],
    ],
    ["a query with a star", { smmap_sql_query: "SELECT * FROM m WHERE n = %u" }, false, false, ["STORAGE", "MESSAGE"]],
    ["two queries", { smmap_sql_query: inbox, smmap_sql_shared_query: inbox }, false, true, ["STORAGE"]],
  ];
  it.each(cases)("are those of %s", async (_, options, folders, shared, quota) => {
    const store = open(options);
    expect(store.capabilities).toMatchObject({ folders, shared, quota });
    await store.close();
  });
});
