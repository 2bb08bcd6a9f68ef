/** Database files that are gone, empty, broken, half written or replaced: never a wrong "absent", and then right again. */
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate as turn } from "node:timers/promises";
import SqliteDatabase from "better-sqlite3";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createNativeDatabase, openSqliteStore } from "../../fixtures/sqlite-database.ts";
import { SqliteProcess } from "../../fixtures/sqlite-process.ts";
import { Lookup } from "../../src/store/lookup.ts";
import { type Log, type MailboxStore, StoreError, type UserMailbox } from "../../src/store/store.ts";

let directory: string;
let path: string;
let logged: string[];
const stores: MailboxStore[] = [];
const others: SqliteProcess[] = [];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "sqlite-faults-"));
  path = join(directory, "live.db");
  logged = [];
});

afterEach(async () => {
  await Promise.all(stores.splice(0).map((store) => store.close()));
  await Promise.all(others.splice(0).map((other) => other.kill()));
  rmSync(directory, { recursive: true });
});

function open(options: Readonly<Record<string, string>> = {}): MailboxStore {
  const note = (message: string) => logged.push(message);
  const log: Log = { error: note, warning: note, notice: note, info: note, debug: note };
  const store = openSqliteStore(path, options, log);
  stores.push(store);
  return store;
}

function otherProcess(): SqliteProcess {
  const other = new SqliteProcess(path);
  others.push(other);
  return other;
}

/** A database of users named `${prefix}0`, `${prefix}1` and so on, of several pages. */
function create(file: string, prefix: string, users = 2000, journal = "delete"): void {
  const database = createNativeDatabase(file);
  database.pragma(`journal_mode = ${journal}`);
  const insert = database.prepare("INSERT INTO mailboxes (user) VALUES (?)");
  database.transaction(() => {
    for (let i = 0; i < users; i++) insert.run(`${prefix}${i}`);
  })();
  database.close();
}

function user(name: string): UserMailbox {
  return { kind: "user", user: name, domain: null, folders: [], address: name, detail: null };
}

/** "present", "absent", or the code of the StoreError. */
async function outcome(store: MailboxStore, name: string): Promise<string> {
  try {
    return (await store.lookup(user(name), new Lookup())).exists ? "present" : "absent";
  } catch (error) {
    if (error instanceof StoreError) return error.code;
    throw error;
  } finally {
    // With the turn of the event loop, the read transaction of its look-ups is over.
    await turn();
  }
}

async function problemOf(store: MailboxStore, name: string): Promise<string> {
  try {
    await store.lookup(user(name), new Lookup());
    return "none";
  } catch (error) {
    return String(error);
  } finally {
    await turn();
  }
}

/** Resolves when the store says so; until then only the outcomes that are allowed may be seen. */
async function becomes(store: MailboxStore, name: string, wanted: string, allowed: readonly string[]): Promise<void> {
  await expect
    .poll(
      async () => {
        const seen = await outcome(store, name);
        expect([wanted, ...allowed]).toContain(seen);
        return seen;
      },
      { timeout: 5000, interval: 20 },
    )
    .toBe(wanted);
}

describe("a file that cannot be read", () => {
  const faults: [what: string, harm: () => void, problem: RegExp][] = [
    ["is missing", () => rmSync(path), /there is no file .*live\.db; create the database, or correct sql_database/],
    ["is a directory", () => turnIntoDirectory(), /live\.db is no file; correct sql_database/],
    ["is empty", () => truncateSync(path), /live\.db is empty; create the database again/],
    ["is no database", () => writeFileSync(path, "x".repeat(8192)), /file is not a database \(SQLITE_NOTADB\)/],
    ["is cut within a page", () => truncateSync(path, statSync(path).size - 100), /ends within a page|is damaged/],
    ["is cut after a page", () => truncateSync(path, 8192), /malformed \(SQLITE_CORRUPT.*not completely written/],
    ["lacks a table", () => alter("DROP TABLE mailboxes"), /no such table: .*mailboxes; create the tables with sch/],
    ["lacks a column", () => alter("ALTER TABLE mailboxes RENAME message_used TO m"), /no such column: .*message_used/],
    ["has no row", () => alter("DELETE FROM mailboxes"), /the table mailboxes is empty/],
  ];

  function turnIntoDirectory(): void {
    rmSync(path);
    mkdirSync(path);
  }

  function restore(whole: Buffer): void {
    if (statSync(path, { throwIfNoEntry: false })?.isDirectory()) rmdirSync(path);
    writeFileSync(path, whole);
  }

  function alter(sql: string): void {
    const database = new SqliteDatabase(path);
    database.exec(sql);
    database.close();
  }

  it.each(faults)("because it %s at start: it says so once, and is read when it is whole", async (_, harm, problem) => {
    create(path, "a");
    const whole = readFileSync(path);
    harm();
    const store = open();
    expect(await problemOf(store, "a1")).toMatch(problem);
    expect(await problemOf(store, "b1")).toMatch(problem);
    // A database without a row is in order as such.
    if (!problem.test("the table mailboxes is empty")) {
      await expect(store.ping(new Lookup())).rejects.toThrow(problem);
      expect(logged).toEqual([expect.stringMatching(problem)]);
    }
    restore(whole);
    await becomes(store, "a1", "present", ["unavailable", "invalid-data"]);
    expect(await outcome(store, "b1")).toBe("absent");
  });

  it.each(faults)("because it %s later: it says so, and is read when it is whole", async (_, harm, problem) => {
    create(path, "a");
    const whole = readFileSync(path);
    const store = open();
    expect(await outcome(store, "a1")).toBe("present");
    expect(await outcome(store, "b1")).toBe("absent");
    harm();
    // Who is not known is asked about at once; who is known may be known from memory, until the next look.
    expect(await problemOf(store, "b1")).toMatch(problem);
    expect(["unavailable", "invalid-data"]).toContain(await outcome(store, "a1"));
    restore(whole);
    await becomes(store, "a1", "present", ["unavailable", "invalid-data"]);
    await becomes(store, "b1", "absent", ["unavailable", "invalid-data"]);
  });
});

describe("a file that is being written", () => {
  it("says nothing wrong at any length that it has on the way", async () => {
    create(path, "a", 300);
    const whole = readFileSync(path);
    for (let length = 0; length < whole.length; length += 512) {
      rmSync(path);
      writeFileSync(path, whole.subarray(0, length));
      const store = open();
      for (const name of ["a0", "a150", "a299", "nobody"]) {
        expect(["unavailable", "invalid-data"], `${name} at ${length}`).toContain(await outcome(store, name));
      }
      await store.close();
    }
  });

  it("by SQLite's rules is not seen before the end of the transaction", async () => {
    create(path, "a");
    const store = open();
    const other = otherProcess();
    await other.exec("BEGIN; INSERT INTO mailboxes (user) VALUES ('betty')");
    expect(await outcome(store, "betty")).toBe("absent");
    await other.exec("COMMIT");
    expect(await outcome(store, "betty")).toBe("present");
  });

  it("for the first time, table by table, takes nobody for unknown before the first mailbox", async () => {
    const store = open();
    const other = otherProcess();
    const schema = createSchemaStatements();
    for (const statement of schema) {
      expect(["unavailable", "invalid-data"]).toContain(await outcome(store, "a1"));
      await other.exec(statement);
    }
    await other.exec("BEGIN; INSERT INTO mailboxes (user) VALUES ('a0')");
    await other.exec("INSERT INTO mailboxes (user) VALUES ('a1')");
    expect(["unavailable", "invalid-data"]).toContain(await outcome(store, "a1"));
    await other.exec("COMMIT");
    await becomes(store, "a1", "present", ["unavailable", "invalid-data"]);
    await becomes(store, "a2", "absent", []);
  });

  function createSchemaStatements(): string[] {
    const database = createNativeDatabase(":memory:");
    const statements = database
      .prepare<[], string>("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL")
      .pluck()
      .all();
    database.close();
    return statements;
  }

  it("by a program that died over it waits for the next writer", async () => {
    create(path, "a", 20_000);
    const store = open();
    const other = otherProcess();
    // A cache of ten pages: the rest of the transaction is in the file when the program dies.
    await other.exec("PRAGMA cache_size = 10; BEGIN; UPDATE mailboxes SET rights = 'lrswipkxtecda'");
    await other.kill();
    const died = await problemOf(store, "a1");
    expect(died).toMatch(/SQLITE_READONLY_ROLLBACK.*open the database once with the sqlite3 tool/);
    expect(await outcome(store, "nobody")).toBe("unavailable");
    const mended = otherProcess();
    await mended.exec("SELECT count(*) FROM mailboxes");
    await becomes(store, "a1", "present", ["unavailable"]);
    await becomes(store, "nobody", "absent", ["unavailable"]);
  });
});

describe("a file that is replaced", () => {
  it("by rename is noticed within a second, and by an absence at once", async () => {
    create(path, "a");
    create(`${path}.new`, "b");
    const store = open();
    expect(await outcome(store, "a1")).toBe("present");
    expect(await outcome(store, "b1")).toBe("absent");
    renameSync(`${path}.new`, path);
    const replacedAt = performance.now();
    expect(await outcome(store, "b1")).toBe("present");
    expect(await outcome(store, "a1")).toBe("absent");
    expect(performance.now() - replacedAt).toBeLessThan(1000);
    expect(logged).toEqual([`sqlite: ${path} was replaced; the new file is in use`]);
  });

  it("by rename is noticed though only the present are asked for", async () => {
    create(path, "a");
    create(`${path}.new`, "b");
    const store = open();
    expect(await outcome(store, "a1")).toBe("present");
    renameSync(`${path}.new`, path);
    await becomes(store, "a1", "absent", ["present"]);
  });

  it("by one that is not fit for use is an error, until a better one comes", async () => {
    create(path, "a");
    const store = open();
    expect(await outcome(store, "a1")).toBe("present");
    writeFileSync(`${path}.new`, "rubbish");
    renameSync(`${path}.new`, path);
    await becomes(store, "a1", "unavailable", ["present"]);
    create(`${path}.new`, "b");
    renameSync(`${path}.new`, path);
    await becomes(store, "b1", "present", ["unavailable"]);
  });

  it("by a copy over it, alike to the last byte that SQLite compares, has no page of the old one", async () => {
    create(path, "a", 3000);
    create(`${path}.new`, "b", 3000);
    // SQLite keeps its pages while these bytes are the same: https://www.sqlite.org/fileformat2.html, section 1.3
    const stamp = (file: string) => readFileSync(file).subarray(24, 40).toString("hex");
    expect(stamp(path)).toBe(stamp(`${path}.new`));
    const store = open();
    for (let i = 0; i < 3000; i += 100) expect(await outcome(store, `a${i}`)).toBe("present");
    copyFileSync(`${path}.new`, path);
    for (let i = 0; i < 3000; i++) expect(await outcome(store, `b${i}`), `b${i}`).toBe("present");
    expect(await outcome(store, "a0")).toBe("absent");
  });

  it("beside the write-ahead log of the one before is not read as a mixture of both", async () => {
    create(path, "a", 2000, "wal");
    const store = open();
    expect(await outcome(store, "a1")).toBe("present");
    const other = otherProcess();
    await other.exec("UPDATE mailboxes SET rights = 'p'");
    await other.close();
    expect(await outcome(store, "a1")).toBe("present");
    create(`${path}.new`, "b", 3000);
    renameSync(`${path}.new`, path);
    expect(await problemOf(store, "b1")).toMatch(
      /was replaced, but .*live\.db-wal still belongs to the database before/,
    );
    expect(await outcome(store, "b2999")).toBe("unavailable");
    rmSync(`${path}-wal`);
    rmSync(`${path}-shm`);
    await becomes(store, "b1", "present", ["unavailable"]);
    expect(await outcome(store, "b2999")).toBe("present");
    await becomes(store, "a1", "absent", []);
  });

  it("by its owner's own move into place may be away for a moment", async () => {
    create(path, "a");
    const store = open();
    renameSync(path, `${path}.away`);
    await becomes(store, "a1", "unavailable", ["present"]);
    renameSync(`${path}.away`, path);
    await becomes(store, "a1", "present", ["unavailable"]);
  });
});

describe("damage", () => {
  const users = ["a0", "a1234", "a2999"];
  let whole: Buffer;

  beforeEach(() => {
    create(path, "a", 3000);
    whole = readFileSync(path);
  });

  /** The outcomes for the users of a file in which one octet is another one. */
  async function outcomesWith(at: number, bits: number): Promise<string[]> {
    const damaged = Buffer.from(whole);
    damaged.writeUInt8(damaged.readUInt8(at) ^ bits, at);
    rmSync(path);
    writeFileSync(path, damaged);
    const store = open();
    const outcomes = [];
    for (const name of users) outcomes.push(await outcome(store, name));
    await store.close();
    return outcomes;
  }

  it("to the structure of a file, which SQLite can know better, never hides a mailbox", async () => {
    const pageSize = 4096;
    const seen = new Set<string>();
    for (let page = 0; page < whole.length; page += pageSize) {
      const start = page === 0 ? 100 : page;
      const cells = Math.min(whole.readUInt16BE(start + 3), 20);
      // The header of the page (https://www.sqlite.org/fileformat2.html, section 1.6), and where its cells begin.
      for (let at = start; at < start + 12 + 2 * cells; at++) {
        for (const found of await outcomesWith(at, at % 2 === 0 ? 0xff : 0x01)) {
          expect(["present", "unavailable", "invalid-data"], `octet ${at}`).toContain(found);
          seen.add(found);
        }
      }
    }
    expect(seen).toContain("unavailable");
    expect(seen).toContain("present");
  });

  it("to a name, which puts it out of order and others behind it, never hides them", async () => {
    const seen = new Set<string>();
    for (let at = whole.indexOf("a1"); at >= 0; at = whole.indexOf("a1", at + 100)) {
      const outcomes = await outcomesWith(at, 0x80);
      expect(outcomes, `octet ${at}`).not.toContain("absent");
      for (const found of outcomes) seen.add(found);
    }
    expect(seen).toContain("unavailable");
  });

  it("to a file under our hands is found before anybody is called unknown", async () => {
    const store = open();
    expect(await outcome(store, "a1234")).toBe("present");
    const damaged = Buffer.from(whole);
    damaged.write("zzzz", damaged.indexOf("a1500"));
    writeFileSync(path, damaged);
    expect(await problemOf(store, "nobody")).toMatch(/is damaged \(row not in PRIMARY KEY order for mailboxes\)/);
    expect(await outcome(store, "a1500")).toBe("unavailable");
    writeFileSync(path, whole);
    await becomes(store, "a1500", "present", ["unavailable"]);
  });

  it("to a file that is too large to be checked is found where it is read", async () => {
    const database = new SqliteDatabase(path);
    database.exec("CREATE TABLE ballast AS SELECT zeroblob(9 * 1024 * 1024)");
    database.close();
    whole = readFileSync(path);
    expect(await outcomesWith(whole.length - 1, 0xff)).toEqual(["present", "present", "present"]);
    // The type of the second page: the first of the table of mailboxes.
    expect(await outcomesWith(4096, 0xff)).toEqual(["unavailable", "unavailable", "unavailable"]);
  });

  it("to any octet ends in an answer or in a StoreError", async () => {
    const random = randomNumbers(1);
    for (let round = 0; round < 300; round++) {
      const at = Math.floor(random() * whole.length);
      const found = await outcomesWith(at, 1 + Math.floor(random() * 255));
      expect(found, `octet ${at}`).toHaveLength(users.length);
    }
  });
});

/** Numbers from 0 up to 1, by the generator mulberry32. */
function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
