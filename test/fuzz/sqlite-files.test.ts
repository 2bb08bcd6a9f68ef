/**
 * Database files that are damaged at random, before they are opened and under the store's hands. An absence, or any other
 * wrong fact, is only ever said of a file in which SQLite's own integrity_check finds nothing wrong, and then of a row
 * that nobody can find any more. What is left is a letter that became another one: SQLite has no checksums.
 *
 * The frames of a write-ahead log have checksums: SQLite takes a damaged one, and all behind it, for not written.
 */
import {
  closeSync,
  ftruncateSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import SqliteDatabase, { type Database } from "better-sqlite3";
import fc from "fast-check";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { createNativeDatabase, openSqliteStore } from "../../fixtures/sqlite-database.ts";
import { Lookup } from "../../src/store/lookup.ts";
import { type MailboxFacts, type MailboxStore, StoreError, type UserMailbox } from "../../src/store/store.ts";
import { inProportion, seed, timeout } from "./campaign.ts";
import { anyDamages, type Damage, harm } from "./sqlite-damage.ts";

/** Octets; the smallest that there are make the highest trees. */
const PAGE_SIZE = 512;
/** By these octets SQLite tells that somebody has written: https://www.sqlite.org/fileformat2.html, section 1.3. */
const STAMP = [24, 40] as const;
const USERS = 300;
/** Users who are only in the write-ahead log, where there is one. */
const LATE = 40;
/** Milliseconds after which a file is looked at again. */
const LOOK_AGAIN = 600;

const users = Array.from({ length: USERS }, (_, number) => `user${(number * 7919) % 1000}`);
const folder = mkdtempSync(join(tmpdir(), "smmapd-fuzz-sqlite-"));
const path = join(folder, "live.db");

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));
const mailbox = (user: string): UserMailbox => {
  return { kind: "user", user, domain: null, folders: [], address: user, detail: null };
};

/** A database of one shape, as it lies in the file system. */
interface Sample {
  readonly main: Buffer;
  readonly wal: Buffer | null;
  readonly options: Readonly<Record<string, string>>;
  /** Finds a user's name in the table itself, by whatever way its index leads. */
  readonly scan: string;
}

const site = {
  smmap_sql_query: "SELECT quota AS quota_bytes, used AS used_bytes FROM people WHERE login = :localpart",
};
const siteSchema = `CREATE TABLE people (id INTEGER PRIMARY KEY, login TEXT NOT NULL UNIQUE, quota INTEGER, used INTEGER)`;

function createSample(layout: "native" | "site", mode: "delete" | "wal"): Sample {
  const database = layout === "native" ? createEmpty(createNativeDatabase) : createEmpty((file) => createSite(file));
  const insert = database.prepare(
    layout === "native"
      ? "INSERT INTO mailboxes (user, storage_limit, storage_used) VALUES (?, 100000, ?)"
      : "INSERT INTO people (login, quota, used) VALUES (?, 100000, ?)",
  );
  const add = (some: readonly string[]) => {
    database.transaction(() => {
      for (const user of some) insert.run(user, Number(user.slice("user".length)));
    })();
  };
  database.pragma(`journal_mode = ${mode}`);
  add(users.slice(0, -LATE));
  database.pragma("wal_checkpoint(TRUNCATE)");
  add(users.slice(-LATE));
  const [main, wal] = [readFileSync(path), mode === "wal" ? readFileSync(`${path}-wal`) : null];
  database.close();
  return {
    main,
    wal,
    options: layout === "native" ? {} : site,
    scan:
      layout === "native"
        ? "SELECT user FROM mailboxes WHERE +domain = '' AND +folder = '' AND takes_mail"
        : "SELECT login FROM people NOT INDEXED",
  };
}

function createEmpty(create: (file: string) => Database): Database {
  clear();
  // The page size is that of the first statement that writes.
  const empty = new SqliteDatabase(path);
  empty.exec(`PRAGMA page_size = ${PAGE_SIZE}; VACUUM`);
  empty.close();
  return create(path);
}

function createSite(file: string): Database {
  const database = new SqliteDatabase(file);
  database.exec(siteSchema);
  return database;
}

function clear(): void {
  for (const suffix of ["", "-wal", "-shm", "-journal", ".imapd.conf"]) rmSync(path + suffix, { force: true });
}

function put(main: Buffer, wal: Buffer | null): void {
  clear();
  writeFileSync(path, main);
  if (wal !== null) writeFileSync(`${path}-wal`, wal);
}

/** Writes over the file as it lies there, and again until its time has moved on: the kernel's clock for it is coarse. */
function overwrite(octets: Buffer): void {
  const before = statSync(path).ctimeMs;
  do {
    const file = openSync(path, "r+");
    writeSync(file, octets, 0, octets.length, 0);
    ftruncateSync(file, octets.length);
    closeSync(file);
  } while (statSync(path).ctimeMs === before);
}

/** Somebody else who reads the file, and believes nothing. */
class Reader {
  readonly #database: Database;

  /** Knows the schema from now on, as a store does that has the file open. @throws whatever SQLite throws */
  constructor() {
    this.#database = new SqliteDatabase(path, { readonly: true });
    try {
      this.#database.prepare(sample.scan);
    } catch (error) {
      this.#database.close();
      throw error;
    }
  }

  /** Every name that is there; null where the file is out of order. */
  names(): ReadonlySet<unknown> | null {
    try {
      this.#database.pragma("shrink_memory");
      if (this.#database.pragma("integrity_check", { simple: true }) !== "ok") return null;
      return new Set(this.#database.prepare(sample.scan).pluck().all());
    } catch {
      return null;
    }
  }

  close(): void {
    this.#database.close();
  }
}

/** What a reader finds who opens the file now; null where it is out of order. */
function namesNow(): ReadonlySet<unknown> | null {
  let reader: Reader | null = null;
  try {
    reader = new Reader();
    return reader.names();
  } catch {
    return null;
  } finally {
    reader?.close();
  }
}

/** Facts, or null for a StoreError. */
async function look(store: MailboxStore, user: string): Promise<MailboxFacts | null> {
  try {
    return await store.lookup(mailbox(user), new Lookup());
  } catch (error) {
    if (error instanceof StoreError) return null;
    throw error;
  }
}

async function lookAll(store: MailboxStore): Promise<Map<string, MailboxFacts | null>> {
  const found = new Map<string, MailboxFacts | null>();
  for (const user of users) {
    found.set(user, await look(store, user));
    // Look-ups of one turn are of one transaction.
    if (found.size % 100 === 0) await turn();
  }
  await turn();
  return found;
}

let sample: Sample;
let truth: ReadonlyMap<string, MailboxFacts | null>;

/**
 * Throws where an answer is neither right, nor a StoreError, nor one that nobody can know better.
 * @param names that another reader finds, as Reader has them
 */
function judge(found: ReadonlyMap<string, MailboxFacts | null>, names: () => ReadonlySet<unknown> | null): void {
  const wrong = [...found].filter(([user, facts]) => facts !== null && !isRight(user, facts));
  if (wrong.length === 0) return;
  const everything = names();
  if (everything === null) throw new Error(`out of a file that is not in order: ${JSON.stringify(wrong.slice(0, 3))}`);
  const hidden = wrong.filter(([user, facts]) => facts?.exists === false && everything.has(user));
  if (hidden.length > 0) throw new Error(`in the table, and called absent: ${hidden.map(([user]) => user).join(" ")}`);
}

function isRight(user: string, facts: MailboxFacts | null): boolean {
  return JSON.stringify(facts) === JSON.stringify(truth.get(user));
}

/** Opens a store, which is closed whatever happens. */
async function withStore(use: (store: MailboxStore) => Promise<void>): Promise<void> {
  const store = openSqliteStore(path, sample.options);
  try {
    await use(store);
  } finally {
    await store.close();
  }
}

/** Looks again until all is right, as a mail server does. */
async function expectRight(store: MailboxStore): Promise<void> {
  let found = await lookAll(store);
  for (let again = 0; again < 3 && ![...found].every(([user, facts]) => isRight(user, facts)); again++) {
    vi.advanceTimersByTime(LOOK_AGAIN);
    found = await lookAll(store);
  }
  expect([...found].filter(([user, facts]) => !isRight(user, facts))).toEqual([]);
}

const anyHarm = fc.record({ main: anyDamages, wal: fc.option(anyDamages, { freq: 3 }) });

interface Harm {
  readonly main: readonly Damage[];
  readonly wal: readonly Damage[] | null;
}

function harmed({ main, wal }: Harm): [main: Buffer, wal: Buffer | null] {
  // Only the write-ahead log, where that is damaged: else what is wrong in the file would hide it.
  if (sample.wal === null || wal === null) return [harm(sample.main, PAGE_SIZE, main), sample.wal];
  return [sample.main, harm(sample.wal, PAGE_SIZE, wal)];
}

/** With that stamp as it was: a file that says it was written by the rules cannot be told from one that was. */
function withoutWriter(octets: Buffer): Buffer {
  sample.main.copy(octets, STAMP[0], ...STAMP);
  return octets;
}

beforeAll(() => {
  // A clock that stands still: how long anything takes makes no difference.
  vi.useFakeTimers({ toFake: ["performance"] });
});
afterAll(() => {
  vi.useRealTimers();
  rmSync(folder, { recursive: true });
});

describe.each([
  ["native", "delete"],
  ["native", "wal"],
  ["site", "delete"],
  ["site", "wal"],
] as const)("tables: %s; journal: %s", (layout, mode) => {
  beforeAll(async () => {
    clear();
    sample = createSample(layout, mode);
    put(sample.main, sample.wal);
    await withStore(async (store) => {
      truth = await lookAll(store);
    });
    expect([...truth.values()].every((facts) => facts?.exists === true && facts.quotas.length === 1)).toBe(true);
  });
  afterEach(clear);

  it("a file that is damaged when it is opened", { timeout }, async () => {
    await fc.assert(
      fc.asyncProperty(anyHarm, async (how) => {
        put(...harmed(how));
        await withStore(async (store) => judge(await lookAll(store), namesNow));
      }),
      { numRuns: inProportion(700), seed },
    );
  });

  it("a file that is damaged while it is open, and put back", { timeout }, async () => {
    await fc.assert(
      fc.asyncProperty(anyDamages, fc.boolean(), async (damages, isLookedAt) => {
        put(sample.main, sample.wal);
        await withStore(async (store) => {
          await expectRight(store);
          const reader = new Reader();
          overwrite(withoutWriter(harm(sample.main, PAGE_SIZE, damages)));
          if (isLookedAt) vi.advanceTimersByTime(LOOK_AGAIN);
          try {
            judge(await lookAll(store), () => reader.names());
          } finally {
            reader.close();
          }
          overwrite(sample.main);
          vi.advanceTimersByTime(LOOK_AGAIN);
          await expectRight(store);
        });
      }),
      { numRuns: inProportion(150), seed },
    );
  });
});
