/** docs/store-sqlite.md: its statements run, its configurations load and answer, its lists are complete. */

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate as turn } from "node:timers/promises";
import SqliteDatabase, { type Database } from "better-sqlite3";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { sqlKeys } from "../../../adapters/sql/keys.ts";
import { parameterNames } from "../../../adapters/sql/parameters.ts";
import { adapter } from "../../../adapters/sqlite/index.ts";
import { createNativeDatabase, openSqliteStore } from "../../../fixtures/sqlite-database.ts";
import { loadConfig } from "../../../src/config/config.ts";
import { readSettings } from "../../../src/config/settings.ts";
import { RecipientParser, type RecipientRules } from "../../../src/engine/recipient.ts";
import { decide } from "../../../src/engine/verdict.ts";
import { Lookup } from "../../../src/store/lookup.ts";
import type { Log, MailboxStore } from "../../../src/store/store.ts";

const page = readFileSync(new URL("../../../docs/store-sqlite.md", import.meta.url), "utf8");

/** The fenced blocks under a heading, without their indentation. */
function blocks(heading: string, language: string): string[] {
  const start = page.indexOf(`# ${heading}\n`);
  if (start < 0) throw new Error(`the page has no heading ${heading}`);
  const next = page.slice(start).search(/\n#+ /);
  const section = page.slice(start, next < 0 ? undefined : start + next);
  const fence = new RegExp(`^( *)\`\`\`${language}\\n([\\s\\S]*?)^ *\`\`\`$`, "gm");
  return [...section.matchAll(fence)].map(([, indent = "", text = ""]) => text.replaceAll(`\n${indent}`, "\n").trim());
}

let directory: string;
let database: Database;
let store: MailboxStore | null;
let logged: string[];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "sqlite-documentation-"));
  store = null;
  logged = [];
});

afterEach(async () => {
  await store?.close();
  database.close();
  rmSync(directory, { recursive: true });
});

const note = (message: string) => logged.push(message);
const log: Log = { error: note, warning: note, notice: note, info: note, debug: note };

async function verdict(rules: RecipientRules, address: string): Promise<string> {
  const mailbox = new RecipientParser(rules).parse(Buffer.from(address).toString("latin1"));
  if (mailbox.kind === "none" || store === null) return "nobody";
  return decide(mailbox, await store.lookup(mailbox, new Lookup()));
}

it("has ten statements that work as described", async () => {
  const rules: RecipientRules = {
    virtualDomains: true,
    defaultDomain: "example.org",
    separator: "/",
    downcase: true,
    postuser: "",
    skipPlus: false,
  };
  const statements = blocks("Ten statements", "sql");
  expect(statements).toHaveLength(10);
  database = createNativeDatabase(join(directory, "mailboxes.db"));
  store = openSqliteStore(database.name, {}, log);
  const run = (number: number) => database.exec(statements[number - 1] ?? "");
  const ask = async (address: string) => {
    try {
      return await verdict(rules, address);
    } finally {
      // The read transaction of look-ups ends with the tick of the event loop.
      await turn();
    }
  };

  await expect(ask("postmaster@example.net")).rejects.toThrow(/the table mailboxes is empty/);
  run(1);
  expect(await ask("postmaster@example.net")).toBe("accept");
  expect(await ask("betty@example.net")).toBe("absent");
  run(2);
  expect(database.prepare("SELECT storage_limit FROM mailboxes WHERE user = ''").pluck().get()).toBe(50 * 2 ** 30);
  run(3);
  expect(await ask("fred@example.org")).toBe("accept");
  expect(await ask("betty@example.net")).toBe("accept");
  expect(await ask("betty+Lists/Cyrus@example.net")).toBe("absent");
  run(4);
  expect(await ask("betty+Lists/Cyrus@example.net")).toBe("accept");
  run(5);
  run(5);
  expect(await ask("betty@example.net")).toBe("accept");
  run(6);
  expect(await ask("betty@example.net")).toBe("over-quota");
  expect(await ask("betty+Lists/Cyrus@example.net")).toBe("over-quota");
  expect(
    database
      .prepare(statements[6] ?? "")
      .pluck()
      .all(),
  ).toEqual(["betty@example.net"]);
  run(8);
  expect(await ask("betty@example.net")).toBe("accept");
  expect(await ask("+Public/Staff@example.org")).toBe("absent");
  run(9);
  expect(await ask("+Public/Staff@example.org")).toBe("accept");
  database.exec((statements[8] ?? "").replace("'lp'", "'l'"));
  expect(await ask("+Public/Staff@example.org")).toBe("denied");
  run(10);
  expect(await ask("betty+Lists/Cyrus@example.net")).toBe("absent");
  expect(await ask("betty@example.net")).toBe("absent");
  expect(logged).toEqual([]);
});

describe("a configuration", () => {
  /** Opens the store of an example, on a database of our own. @returns how addresses are answered */
  function example(heading: string, schema: string): (address: string) => Promise<string> {
    const [text = ""] = blocks(heading, "");
    const path = join(directory, "site.db");
    const file = join(directory, "imapd.conf");
    writeFileSync(file, `${text.replace(/^sql_database: .*$/m, `sql_database: ${path}`)}\n`);
    database = new SqliteDatabase(path);
    database.exec(schema);
    const config = loadConfig({ file, env: {} });
    const { rules, store: choice } = readSettings(config);
    expect(choice.name).toBe("sqlite");
    store = adapter.open(adapter.parse(config), { log, lookupTimeout: 5_000 });
    expect(config.warnings()).toEqual([]);
    expect(logged).toEqual([]);
    return (address) => verdict(rules, address);
  }

  it("for the native schema answers", async () => {
    const schema = createNativeDatabase(":memory:");
    const statements = schema.prepare<[], string>("SELECT sql FROM sqlite_schema").pluck().all();
    schema.close();
    const [, insert = ""] = /"(INSERT [^"]*)"/.exec(blocks("The sqlite store", "sh")[0] ?? "") ?? [];
    const ask = example("The sqlite store", [...statements, insert].join(";"));
    expect(await ask("fred@example.org")).toBe("accept");
    expect(await ask("betty@example.org")).toBe("absent");
  });

  it("for PostfixAdmin answers", async () => {
    const ask = example(
      "PostfixAdmin",
      `CREATE TABLE domain (domain TEXT PRIMARY KEY, backupmx INTEGER, active INTEGER);
       CREATE TABLE mailbox (username TEXT PRIMARY KEY, quota INTEGER, domain TEXT, active INTEGER);
       CREATE TABLE alias_domain (alias_domain TEXT PRIMARY KEY, target_domain TEXT, active INTEGER);
       CREATE TABLE quota2 (username TEXT PRIMARY KEY, bytes INTEGER, messages INTEGER);
       INSERT INTO domain VALUES ('a.test', 0, 1), ('off.test', 0, 0), ('mx.test', 1, 1);
       INSERT INTO alias_domain VALUES ('alias.test', 'a.test', 1), ('old.test', 'a.test', 0);
       INSERT INTO mailbox VALUES ('fred@a.test', 1024000, 'a.test', 1), ('full@a.test', 1024000, 'a.test', 1),
         ('free@a.test', 0, 'a.test', 1), ('gone@a.test', 0, 'a.test', 0), ('x@off.test', 0, 'off.test', 1),
         ('x@mx.test', 0, 'mx.test', 1);
       INSERT INTO quota2 VALUES ('full@a.test', 1024001, 7), ('free@a.test', 1024001, 7);`,
    );
    const answers = { fred: "accept", full: "over-quota", free: "accept", gone: "absent", nobody: "absent" };
    for (const [name, answer] of Object.entries(answers)) expect(await ask(`${name}@a.test`), name).toBe(answer);
    expect(await ask("Full@Alias.test")).toBe("over-quota");
    expect(await ask("fred+folder@a.test")).toBe("accept");
    for (const address of ["fred@old.test", "x@off.test", "x@mx.test", "fred"])
      expect(await ask(address)).toBe("absent");
  });

  it("for iRedMail answers", async () => {
    const ask = example(
      "iRedMail",
      `CREATE TABLE domain (domain TEXT PRIMARY KEY, backupmx INTEGER, active INTEGER);
       CREATE TABLE mailbox (username TEXT PRIMARY KEY, quota INTEGER, domain TEXT, active INTEGER, enabledeliver INTEGER);
       CREATE TABLE alias_domain (alias_domain TEXT PRIMARY KEY, target_domain TEXT, active INTEGER);
       CREATE TABLE forwardings (address TEXT, forwarding TEXT, is_alias INTEGER, active INTEGER,
         UNIQUE (address, forwarding));
       CREATE TABLE used_quota (username TEXT PRIMARY KEY, bytes INTEGER, messages INTEGER);
       INSERT INTO domain VALUES ('a.test', 0, 1);
       INSERT INTO alias_domain VALUES ('alias.test', 'a.test', 1);
       INSERT INTO forwardings VALUES ('second@a.test', 'full@a.test', 1, 1), ('old@a.test', 'full@a.test', 1, 0);
       INSERT INTO mailbox VALUES ('fred@a.test', 1, 'a.test', 1, 1), ('full@a.test', 1, 'a.test', 1, 1),
         ('mute@a.test', 1, 'a.test', 1, 0);
       INSERT INTO used_quota VALUES ('full@a.test', 1048577, 7), ('fred@a.test', 1048576, 7);`,
    );
    const answers = { fred: "accept", full: "over-quota", second: "over-quota", old: "absent", mute: "absent" };
    for (const [name, answer] of Object.entries(answers)) expect(await ask(`${name}@a.test`), name).toBe(answer);
    expect(await ask("full@alias.test")).toBe("over-quota");
  });

  it("with shared folders answers", async () => {
    const ask = example(
      "Shared folders",
      `CREATE TABLE users (login TEXT PRIMARY KEY, limit_mib INTEGER, used INTEGER);
       CREATE TABLE folders (name TEXT PRIMARY KEY, letters TEXT);
       INSERT INTO users VALUES ('fred', 1, 1048577);
       INSERT INTO folders VALUES ('Public.Staff', 'p'), ('Public.Look', 'l'), ('Public.None', NULL);`,
    );
    expect(await ask("fred")).toBe("over-quota");
    expect(await ask("+Public/Staff")).toBe("accept");
    expect(await ask("+Public/Look")).toBe("denied");
    expect(await ask("+Public/None")).toBe("absent");
    expect(await ask("+Public/Nope")).toBe("absent");
  });
});

describe("a list", () => {
  beforeEach(() => {
    database = new SqliteDatabase(join(directory, "site.db"));
    database.exec("CREATE TABLE m (x)");
  });

  /** The names at the beginning of the lines of a section. */
  const listed = (heading: string, line: RegExp): string[] => {
    const start = page.indexOf(`# ${heading}\n`);
    const lines = page.slice(start, page.indexOf("\n#", start)).split("\n");
    return lines.flatMap((text) => line.exec(text)?.[1] ?? []).sort();
  };

  it("of options is complete", () => {
    const options = [...sqlKeys.map(({ name }) => name), "smmap_quota_zero"].filter((name) => name !== "sql_engine");
    expect(listed("Options", /^\*\*(\w+)\*\*/)).toEqual(options.sort());
  });

  it("of columns is complete", () => {
    store = openSqliteStore(database.name, { smmap_sql_query: "SELECT x FROM m WHERE :address" }, log);
    const [, names = ""] = /column x is not one of (.*?);/.exec(logged[0] ?? "") ?? [];
    const columns = listed("Columns", /^\| (`.*?) \|/).flatMap((cell) => [...cell.matchAll(/`(\w+)`/g)]);
    expect(columns.map(([, name]) => name).sort()).toEqual(names.split(", ").sort());
  });

  it("of parameters is complete", () => {
    const cells = listed("Parameters", /^\| (`:\w+`)/).map((cell) => cell.slice(2, -1));
    expect(cells).toEqual([...parameterNames].sort());
  });
});
