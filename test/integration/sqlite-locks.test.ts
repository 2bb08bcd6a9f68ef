/** Other programs at work on the database: short locks are waited for, long ones are errors, nothing stands still. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate as nextTurn, setImmediate as turn } from "node:timers/promises";
import SqliteDatabase from "better-sqlite3";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createNativeDatabase, openSqliteStore } from "../../fixtures/sqlite-database.ts";
import { SqliteProcess } from "../../fixtures/sqlite-process.ts";
import { Lookup } from "../../src/store/lookup.ts";
import type { MailboxFacts, MailboxStore, UserMailbox } from "../../src/store/store.ts";

let directory: string;
let path: string;
let store: MailboxStore;
let other: SqliteProcess;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "sqlite-locks-"));
  path = join(directory, "live.db");
});

afterEach(async () => {
  await store.close();
  await other.kill();
  rmSync(directory, { recursive: true });
});

function start(journal: "delete" | "wal"): void {
  const database = createNativeDatabase(path);
  database.pragma(`journal_mode = ${journal}`);
  database.exec("INSERT INTO mailboxes (user, storage_limit, message_limit) VALUES ('fred', 1000000, 1000000)");
  database.close();
  other = new SqliteProcess(path);
  store = openSqliteStore(path);
}

function user(name: string): UserMailbox {
  return { kind: "user", user: name, domain: null, folders: [], address: name, detail: null };
}

function ask(name: string): Promise<MailboxFacts> {
  return Promise.resolve().then(() => store.lookup(user(name), new Lookup()));
}

/** null: it cannot be told. */
function dataVersion(): number | null {
  try {
    return store.dataVersion?.() ?? null;
  } catch {
    return null;
  }
}

/** Each time, in milliseconds, for which the event loop stood still while something was done. */
async function pauses(during: Promise<unknown>): Promise<number[]> {
  let isOver = false;
  const lengths = [];
  const end = () => {
    isOver = true;
  };
  during.then(end, end);
  for (let last = performance.now(); !isOver; ) {
    await nextTurn();
    const now = performance.now();
    lengths.push(now - last);
    last = now;
  }
  return lengths;
}

describe("a locked database", () => {
  beforeEach(() => start("delete"));

  it("is waited for, by a hundred look-ups like by one, without standing still for each", async () => {
    await ask("fred");
    await other.exec("BEGIN EXCLUSIVE");
    const asked = Array.from({ length: 100 }, (_, i) => ask(i % 2 === 0 ? "fred" : "nobody"));
    const answered = Promise.all(asked);
    // One wait of 50 ms within SQLite, and not a hundred of them.
    expect(Math.max(...(await pauses(Promise.race([answered, nextTurn()]))))).toBeLessThan(1000);
    await other.exec("INSERT INTO mailboxes (user) VALUES ('betty'); COMMIT");
    const facts = await answered;
    expect(facts.map(({ exists }) => exists)).toEqual(facts.map((_, i) => i % 2 === 0));
    expect(await ask("betty")).toEqual({ exists: true, rights: null, quotas: [] });
  });

  it("that stays so is an error before any deadline, for later look-ups at once, and read again when it is free", async () => {
    await other.exec("BEGIN EXCLUSIVE");
    const askedAt = performance.now();
    await expect(ask("fred")).rejects.toMatchObject({ code: "unavailable" });
    expect(performance.now() - askedAt).toBeLessThan(4000);
    const again = await Promise.allSettled(Array.from({ length: 100 }, () => ask("nobody")));
    expect(again.map(({ status }) => status)).not.toContain("fulfilled");
    await expect(ask("fred")).rejects.toThrow(/live\.db is locked by another program; find the program that holds it/);
    await other.exec("COMMIT");
    await expect.poll(() => ask("fred").then(({ exists }) => exists, String), { timeout: 5000 }).toBe(true);
    expect(await ask("nobody")).toEqual({ exists: false });
  });

  it("holds up everything else once at most, for as long as the administrator said", async () => {
    await store.close();
    store = openSqliteStore(path, { smmap_sql_busy_timeout: "1000" });
    await other.exec("BEGIN EXCLUSIVE");
    const long = (await pauses(Promise.allSettled([ask("fred")]))).filter((pause) => pause > 900);
    expect(long).toHaveLength(1);
  });

  it("holds up nothing more where its data version is asked for meanwhile", async () => {
    await store.close();
    store = openSqliteStore(path, { smmap_sql_busy_timeout: "1000" });
    await other.exec("BEGIN EXCLUSIVE");
    let isOver = false;
    const asked = ask("fred").finally(() => {
      isOver = true;
    });
    const dataVersions = (async () => {
      for (; !isOver; await nextTurn()) expect(dataVersion()).toBe(null);
    })();
    const long = (await pauses(Promise.allSettled([asked, dataVersions]))).filter((pause) => pause > 900);
    expect(long).toHaveLength(1);
    await dataVersions;
    await expect(asked).rejects.toThrow(/find the program that holds it/);
  });

  it("is waited for when the file is opened, too", async () => {
    await store.close();
    await other.exec("BEGIN EXCLUSIVE");
    store = openSqliteStore(path);
    const asked = ask("fred");
    const pinged = store.ping(new Lookup());
    await other.exec("COMMIT");
    expect((await asked).exists).toBe(true);
    await pinged;
  });

  it("is no longer waited for by who is called off, nor by a closed store", async () => {
    await other.exec("BEGIN EXCLUSIVE");
    const lookup = new Lookup();
    const called = Promise.resolve(store.lookup(user("fred"), lookup));
    const reason = new Error("the client is gone");
    lookup.abort(reason);
    await expect(called).rejects.toBe(reason);
    const waiting = ask("fred");
    await nextTurn();
    await store.close();
    await expect(waiting).rejects.toMatchObject({ code: "closed" });
    await expect(ask("fred")).rejects.toMatchObject({ code: "closed" });
    await expect(store.ping(new Lookup())).rejects.toMatchObject({ code: "closed" });
  });
});

describe.each(["delete", "wal"] as const)("a writer in journal mode %s", (journal) => {
  it("and bursts of look-ups do not disturb each other", async () => {
    start(journal);
    const rounds = 100;
    let isWriting = true;
    const writing = (async () => {
      for (let i = 0; i < rounds; i++) {
        await other.exec(`UPDATE mailboxes SET message_used = message_used + 1;
          INSERT INTO mailboxes (user, folder) VALUES ('fred', '${i}')`);
      }
      isWriting = false;
    })();
    let seen = 0;
    while (isWriting) {
      const burst = await Promise.all([ask("fred"), ask("nobody"), ask("fred"), ask("nobody"), ask("fred")]);
      expect(burst.map(({ exists }) => exists)).toEqual([true, false, true, false, true]);
      // Within a burst, one look-up may have waited for a lock that the next one did not meet.
      const used = burst.flatMap((facts) => (facts.exists ? [facts.quotas[1]?.used ?? -1] : []));
      expect(Math.min(...used)).toBeGreaterThanOrEqual(seen);
      seen = Math.max(...used);
      await nextTurn();
    }
    await writing;
    expect(await ask("fred")).toMatchObject({ quotas: [{ resource: "STORAGE" }, { used: rounds }] });
  });
});

it("shares a read transaction among the look-ups of one turn, and only among them", async () => {
  start("wal");
  const writer = new SqliteDatabase(path);
  const look = () => store.lookup(user("fred"), new Lookup());
  const before = look();
  expect(look()).toEqual(before);
  writer.exec("UPDATE mailboxes SET message_used = 5");
  expect(look()).toEqual(before);
  await turn();
  expect(look()).toMatchObject({ quotas: [{}, { used: 5 }] });
  writer.close();
});

it("says absent of nobody who was there before the question, though the turn's transaction is older", async () => {
  start("wal");
  const writer = new SqliteDatabase(path);
  const look = (name: string) => store.lookup(user(name), new Lookup());
  look("fred");
  look("fred");
  writer.exec("INSERT INTO mailboxes (user) VALUES ('betty')");
  expect(look("betty")).toMatchObject({ exists: true });
  expect(look("nobody")).toEqual({ exists: false });
  writer.exec("INSERT INTO mailboxes (user) VALUES ('nobody')");
  expect(look("nobody")).toMatchObject({ exists: true });
  writer.close();
});
