/** One open handle on a database file, and the mailboxes found through it. It only ever reads. */
import SqliteDatabase, { type Database, type Statement } from "better-sqlite3";
import type { FolderPaths, MailboxFacts, MailboxId } from "../../src/store/store.ts";
import { certainlyAccepts } from "./certainty.ts";
import { UnusableFile } from "./file-state.ts";
import type { Layout, Tables } from "./tables.ts";

/** Kibibytes of pages to keep: about as much as a million mailboxes take. Memory is used as pages are read. */
const CACHE_SIZE = 64 * 1024;
/** Octets of a file that is small enough to be checked whole: SQLite takes some 5 to 10 ms for a mebibyte. */
const CHECKED_SIZE = 8 * 1024 * 1024;
/** Reads in one transaction at most, so that a writer never waits long for its end. */
const READS_MAX = 400;
/** What a request asks for: the version of the data, and its mailbox. */
const ASKED_BY_ONE = 2;
/** What SQLite's check finds fault with in values, not in the structure that leads to them. */
const aboutValues = /^(?:(?:NULL|NUMERIC|TEXT|non-\w+) value|CHECK constraint failed) in /;

export class Connection {
  readonly pageSize: number;
  readonly #database: Database;
  readonly #layout: Layout;
  #tables: Tables;
  readonly #begin: Statement<[]>;
  readonly #commit: Statement<[]>;
  readonly #dataVersion: Statement<[], number>;
  readonly #schemaVersion: Statement<[], number>;
  /** Something was asked for in this turn of the event loop. */
  #isTurn = false;
  /** How often, in this turn. */
  #asked = 0;
  /** There was more than one request in the last turn. */
  #wasBusy = false;
  /** Reads in the transaction of this turn. */
  #reads = 0;
  /** What `dataVersion` said when the file was last opened or refreshed. */
  #knownVersion: number;
  /** What `dataVersion` says in this transaction, or said in the last one. */
  #version: number;
  /** The schema that #tables were made for. */
  #schema: number;
  /** What went wrong at the end of a turn, when nobody was there to be told. */
  #failure: unknown = null;
  readonly #endTurn = (): void => {
    this.#isTurn = false;
    this.#wasBusy = this.#asked > ASKED_BY_ONE;
    this.#asked = 0;
    try {
      this.#end();
    } catch (error) {
      this.#failure = error;
    }
  };

  /** @throws whatever SQLite throws, and RefusedStatement */
  constructor(path: string, busyTimeout: number, layout: Layout) {
    this.#database = new SqliteDatabase(path, { readonly: true, fileMustExist: true, timeout: busyTimeout });
    try {
      // Views and generated columns of the file may call nothing but harmless functions; pages are checked as they come.
      this.#database.exec(
        `PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON; PRAGMA cache_size = -${CACHE_SIZE}`,
      );
      this.pageSize = this.#pragma("page_size") as number;
      this.#layout = layout;
      this.#checkWhole();
      this.#schemaVersion = this.#database.prepare<[], number>("PRAGMA schema_version").pluck(true);
      this.#schema = this.#schemaVersion.get() ?? 0;
      this.#tables = layout.prepare(this.#database);
      this.#begin = this.#database.prepare("BEGIN");
      this.#commit = this.#database.prepare("COMMIT");
      this.#dataVersion = this.#database.prepare<[], number>("PRAGMA data_version").pluck(true);
      this.#version = this.#dataVersion.get() ?? 0;
      this.#knownVersion = this.#version;
    } catch (error) {
      this.#database.close();
      throw error;
    }
  }

  find(mailbox: MailboxId): MailboxFacts {
    const isAlone = this.#isAlone;
    this.#takeTurn();
    this.#tellFailure();
    if (isAlone) {
      // It pays for no transaction, unless mail may be refused: to be sure of that takes more than one statement.
      const facts = this.#tables.find(mailbox);
      if (certainlyAccepts(mailbox, facts)) return facts;
    }
    const isFresh = this.#beginRead();
    const facts = this.#tables.find(mailbox);
    return isFresh || certainlyAccepts(mailbox, facts) ? facts : this.#makeSure(mailbox, facts);
  }

  /**
   * Somebody may have made the mailbox since the transaction began, or opened or emptied it, and have sent mail to it then:
   * what may refuse mail is of a transaction that began after the request came.
   */
  #makeSure(mailbox: MailboxId, facts: MailboxFacts): MailboxFacts {
    const version = this.#version;
    this.#end();
    this.#beginRead();
    const isSame = version === this.#version && !this.#tables.isVolatile;
    return isSame ? facts : this.#tables.find(mailbox);
  }

  /**
   * A number that is another one whenever somebody has written to the database; null: answers depend on more than that,
   * or this is likely to be the only request of the turn, which is as quickly looked up.
   */
  dataVersion(): number | null {
    if (this.#tables.isVolatile || this.#isAlone || this.#failure !== null) return null;
    this.#takeTurn();
    this.#beginRead();
    // The tables may be others by now.
    return this.#tables.isVolatile ? null : this.#version;
  }

  folders(mailbox: MailboxId): FolderPaths {
    // They are to be those of now.
    this.#end();
    return this.#tables.folders?.(mailbox) ?? [];
  }

  get warnings(): readonly string[] {
    return this.#tables.warnings;
  }

  /** Milliseconds that SQLite waits for a lock, and everything else with it. */
  set busyTimeout(milliseconds: number) {
    this.#database.pragma(`busy_timeout = ${milliseconds}`);
  }

  /** Drops what was read, so that the next look-up reads the file anew. @param hasChanged since it was last looked at */
  refresh(hasChanged: boolean): void {
    this.#end();
    this.#database.pragma("shrink_memory");
    const version = this.#dataVersion.get() ?? 0;
    // Where SQLite knows of no writer, somebody else has changed the file.
    if (hasChanged && version === this.#knownVersion) this.#checkWhole();
    this.#knownVersion = version;
  }

  /** Reads the schema. */
  probe(): void {
    this.#database.prepare("SELECT count(*) FROM sqlite_schema").get();
  }

  /** Goes over to the tables and views that are there now. SQLite does so by itself, but not with what we know of them. */
  followSchema(): void {
    const schema = this.#schemaVersion.get() ?? 0;
    if (schema === this.#schema) return;
    this.#tables = this.#layout.prepare(this.#database);
    this.#schema = schema;
  }

  close(): void {
    this.#database.close();
  }

  /**
   * Damage is often found only where it is read: a page that leads elsewhere, or a name that is out of order, makes
   * others look absent. Single values are the business of those who store them, unless the table is ours.
   */
  #checkWhole(): void {
    if ((this.#pragma("page_count") as number) * this.pageSize > CHECKED_SIZE) return;
    const rows = this.#database.pragma("integrity_check") as readonly { readonly integrity_check: string }[];
    const problem = rows.map((row) => row.integrity_check).find((text) => text !== "ok" && this.#isDamage(text));
    if (problem === undefined) return;
    const [first] = problem.replace(/^\*\*\*.*\n/, "").split("\n");
    throw new UnusableFile(`${this.#database.name} is damaged (${first}); put it back from a backup`);
  }

  #isDamage(problem: string): boolean {
    const { ownTable } = this.#layout;
    return !aboutValues.test(problem) || (ownTable !== null && problem.includes(` in ${ownTable}`));
  }

  #pragma(text: string): unknown {
    return this.#database.pragma(text, { simple: true });
  }

  /**
   * Taking and giving back SQLite's lock costs more than a look-up, so the requests that are there at the same time, in
   * one turn of the event loop, share a read transaction. Whatever one of them reads is of the same moment.
   * @returns whether it begins with this read
   */
  #beginRead(): boolean {
    if (this.#reads === READS_MAX) this.#end();
    const isFresh = this.#reads === 0 && this.#beginTransaction();
    this.#reads++;
    return isFresh;
  }

  #beginTransaction(): boolean {
    // One that met a lock is open and has not read anything.
    const isFresh = !this.#database.inTransaction;
    if (isFresh) this.#begin.run();
    const version = this.#dataVersion.get() ?? 0;
    if (version !== this.#version) {
      this.followSchema();
      this.#version = version;
    }
    return isFresh;
  }

  /** Nothing else was asked for in this turn, nor is likely to be: then a transaction does not pay. */
  get #isAlone(): boolean {
    return !this.#isTurn && !this.#wasBusy;
  }

  #takeTurn(): void {
    this.#asked++;
    if (this.#isTurn) return;
    this.#isTurn = true;
    setImmediate(this.#endTurn);
  }

  /** Nothing is read before the transaction that could not be ended is. */
  #tellFailure(): void {
    const failure = this.#failure;
    if (failure === null) return;
    this.#end();
    this.#failure = null;
    throw failure;
  }

  #end(): void {
    this.#reads = 0;
    if (this.#database.inTransaction) this.#commit.run();
  }
}
