/** One open handle on a database file, and look-ups through it. It only reads. */
import SqliteDatabase, { type Database, type Statement } from "better-sqlite3";
import type { FolderPaths, MailboxFacts, MailboxId } from "../../src/store/store.ts";
import { certainlyAccepts } from "./acceptance.ts";
import { UnusableFile } from "./file-state.ts";
import { ReadBatch } from "./read-batch.ts";
import type { Layout, Tables } from "./tables.ts";

/** Page cache in KiB: about the size of a million mailboxes. Memory is allocated as pages are read. */
const CACHE_SIZE = 64 * 1024;
/** Largest file in octets that is checked whole: SQLite takes some 5 to 10 ms for a mebibyte. */
const CHECKED_SIZE = 8 * 1024 * 1024;
/** Problems of integrity_check that concern values, not the structure of the file. */
const aboutValues = /^(?:(?:NULL|NUMERIC|TEXT|non-\w+) value|CHECK constraint failed) in /;

export class Connection {
  readonly pageSize: number;
  readonly #database: Database;
  readonly #layout: Layout;
  #tables: Tables;
  readonly #batch: ReadBatch;
  readonly #schemaVersion: Statement<[], number>;
  /** PRAGMA schema_version that #tables were prepared for. */
  #schema: number;
  /** PRAGMA data_version when the file was last opened or refreshed. */
  #knownVersion: number;

  /** @throws whatever SQLite throws, and RefusedStatement */
  constructor(path: string, busyTimeout: number, layout: Layout) {
    this.#database = new SqliteDatabase(path, { readonly: true, fileMustExist: true, timeout: busyTimeout });
    try {
      // Views and generated columns of the file may call harmless functions only; each page is checked when it is read.
      this.#database.exec(
        `PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON; PRAGMA cache_size = -${CACHE_SIZE}`,
      );
      this.pageSize = this.#pragma("page_size") as number;
      this.#layout = layout;
      this.#checkWhole();
      this.#schemaVersion = this.#database.prepare<[], number>("PRAGMA schema_version").pluck(true);
      this.#schema = this.#schemaVersion.get() ?? 0;
      this.#tables = layout.prepare(this.#database);
      this.#batch = new ReadBatch(this.#database, () => this.followSchema());
      this.#knownVersion = this.#batch.version;
    } catch (error) {
      this.#database.close();
      throw error;
    }
  }

  find(mailbox: MailboxId): MailboxFacts {
    const batch = this.#batch;
    const isSole = batch.isSoleRequest;
    batch.join();
    batch.throwFailure();
    if (isSole) {
      // Without a transaction. Facts that may refuse mail take more than one statement and are read again in one.
      const facts = this.#tables.find(mailbox);
      if (certainlyAccepts(mailbox, facts)) return facts;
    }
    const isFresh = batch.begin();
    const facts = this.#tables.find(mailbox);
    return isFresh || certainlyAccepts(mailbox, facts) ? facts : this.#reread(mailbox, facts);
  }

  /**
   * Reads the mailbox in a transaction that begins after the request came. It may have been created, opened or emptied
   * since the shared transaction began, and the mail may have been sent after that.
   */
  #reread(mailbox: MailboxId, facts: MailboxFacts): MailboxFacts {
    const { version } = this.#batch;
    this.#batch.end();
    this.#batch.begin();
    const isSame = version === this.#batch.version && !this.#tables.isVolatile;
    return isSame ? facts : this.#tables.find(mailbox);
  }

  /**
   * A number that changes whenever a program has written to the database. null: answers depend on more than the data, or
   * this is likely to be the only request of the tick, for which a look-up costs as little as the version.
   */
  dataVersion(): number | null {
    const batch = this.#batch;
    if (this.#tables.isVolatile || batch.isSoleRequest || batch.hasFailed) return null;
    batch.join();
    batch.begin();
    // `begin` may have replaced the tables.
    return this.#tables.isVolatile ? null : batch.version;
  }

  folders(mailbox: MailboxId): FolderPaths {
    // Ends the shared transaction, so that the list is read after the request came.
    this.#batch.end();
    return this.#tables.folders?.(mailbox) ?? [];
  }

  get warnings(): readonly string[] {
    return this.#tables.warnings;
  }

  /** Milliseconds that SQLite waits for a lock. The whole process waits. */
  set busyTimeout(milliseconds: number) {
    this.#database.pragma(`busy_timeout = ${milliseconds}`);
  }

  /** Drops cached pages, so that the next look-up reads the file. @param hasChanged the file has changed since the last call */
  refresh(hasChanged: boolean): void {
    this.#batch.end();
    this.#database.pragma("shrink_memory");
    const version = this.#batch.currentVersion();
    // If the data version is the same, the file was changed by other means than SQLite.
    if (hasChanged && version === this.#knownVersion) this.#checkWhole();
    this.#knownVersion = version;
  }

  /** Reads the schema. */
  probe(): void {
    this.#database.prepare("SELECT count(*) FROM sqlite_schema").get();
  }

  /**
   * Prepares the tables again if the schema has changed. SQLite prepares its statements again by itself, but what is
   * derived from the schema here would stay.
   */
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
   * Checks a small file as a whole. Damage is often found only in the page that has it, while a wrong pointer or a key out
   * of order makes other rows look absent. Values are checked in our own table only.
   */
  #checkWhole(): void {
    if ((this.#pragma("page_count") as number) * this.pageSize > CHECKED_SIZE) return;
    const rows = this.#database.pragma("integrity_check") as readonly { readonly integrity_check: string }[];
    const problem = rows.map((row) => row.integrity_check).find((text) => text !== "ok" && this.#isDamage(text));
    if (problem === undefined) return;
    const [first] = problem.replace(/^\*\*\*.*\n/, "").split("\n");
    throw new UnusableFile(`${this.#database.name} is damaged (${first}); restore it from a backup`);
  }

  #isDamage(problem: string): boolean {
    const { ownTable } = this.#layout;
    return !aboutValues.test(problem) || (ownTable !== null && problem.includes(` in ${ownTable}`));
  }

  #pragma(text: string): unknown {
    return this.#database.pragma(text, { simple: true });
  }
}
