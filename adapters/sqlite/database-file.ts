/**
 * A database file that other programs write, lock, replace, remove or damage at any time. Every problem of the file is an
 * error, never an absence, and the file is tried again shortly after.
 */
import { acceptsPosting } from "../../src/store/kit/index.ts";
import { type FolderPaths, type Log, type MailboxFacts, type MailboxId, StoreError } from "../../src/store/store.ts";
import { describeMailbox, RowError } from "../sql/columns.ts";
import { Connection } from "./connection.ts";
import { describeFault, isFileFault, isLock } from "./fault.ts";
import {
  type FileState,
  isSameFile,
  isSameState,
  stateOf,
  UnusableFile,
  type WriteAheadLog,
  walBeside,
} from "./file-state.ts";
import type { Layout } from "./tables.ts";

/** Milliseconds between two checks whether the file at the path was replaced, and between two attempts after a fault. */
const CHECK_INTERVAL = 500;
/** Milliseconds until a locked file is tried again. */
export const LOCK_INTERVAL = 20;
/** Milliseconds for which a look-up of a locked file is repeated. */
const LOCK_RETRY_MAX = 2000;
/** Attempts to read an absence from a file that changes meanwhile. */
const ATTEMPTS = 4;

/** Another program has locked the file, for less than LOCK_RETRY_MAX. The look-up is to be repeated. */
export class LockedError extends StoreError {}

export interface DatabaseFileOptions {
  readonly path: string;
  /** Milliseconds that SQLite waits for a lock. The whole process waits. */
  readonly busyTimeout: number;
  readonly layout: Layout;
  readonly log: Log;
}

const find = (connection: Connection, mailbox: MailboxId) => connection.find(mailbox);
const listFolders = (connection: Connection, mailbox: MailboxId) => connection.folders(mailbox);
/** True if the facts cannot lead to a rejection for absence or for missing rights. */
const isPostable = (mailbox: MailboxId, facts: MailboxFacts) => facts.exists && acceptsPosting(mailbox, facts);
/** A list of folders may lack one, so it is never final by itself. */
const isNeverFinal = () => false;

export class DatabaseFile {
  readonly #options: DatabaseFileOptions;
  #connection: Connection | null = null;
  /** State of the file when the connection began to cache its pages. */
  #seen: FileState | null = null;
  #dataVersion = 0;
  /** PRAGMA data_version when #dataVersion was last raised; comparable within one connection only. */
  #sqliteVersion = Number.NaN;
  /** Why the file cannot be read before the next check; null: it can. */
  #fault: StoreError | null = null;
  /** Time of the next check of the path, by performance.now(). */
  #checkAt = 0;
  /** When the file was first found locked, by the same clock; null: it is not locked. */
  #lockedAt: number | null = null;
  /** The file that was last in use, and the write-ahead log beside it then. */
  #file: FileState | null = null;
  #wal: WriteAheadLog | null = null;
  /** Warnings that were logged already. */
  #warnings: ReadonlySet<string> = new Set();

  constructor(options: DatabaseFileOptions) {
    this.#options = options;
  }

  /** @throws StoreError; LockedError if the look-up is to be repeated */
  find(mailbox: MailboxId): MailboxFacts {
    return this.#read(find, isPostable, mailbox);
  }

  /** All folders of the mailbox's owner. @throws as `find` does */
  folders(mailbox: MailboxId): FolderPaths {
    return this.#read(listFolders, isNeverFinal, mailbox);
  }

  /** @param isFinal true if the answer cannot lead to a rejection, so that it counts although the file may have changed */
  #read<Answer>(
    read: (connection: Connection, mailbox: MailboxId) => Answer,
    isFinal: (mailbox: MailboxId, answer: Answer) => boolean,
    mailbox: MailboxId,
  ): Answer {
    try {
      for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
        const answer = read(this.#current(), mailbox);
        if (this.#lockedAt !== null) this.#unlocked();
        if (isFinal(mailbox, answer) || this.#isUnchanged(attempt > 1)) return answer;
      }
    } catch (error) {
      throw this.#failure(error, mailbox);
    }
    throw this.#locked("changes without a pause");
  }

  /**
   * Grows with every change of the file; null if answers depend on more than its content. @throws as `find` does
   */
  dataVersion(): number | null {
    try {
      const connection = this.#current();
      const version = connection.dataVersion();
      // Nothing was read, so the file may still be locked.
      if (version === null) return null;
      if (this.#lockedAt !== null) this.#unlocked();
      if (version !== this.#sqliteVersion) {
        this.#sqliteVersion = version;
        this.#dataVersion++;
      }
      return this.#dataVersion;
    } catch (error) {
      throw this.#failure(error, null);
    }
  }

  /** Reads the file's schema. @throws as `find` does */
  probe(): void {
    try {
      this.#current().probe();
      if (this.#lockedAt !== null) this.#unlocked();
    } catch (error) {
      throw this.#failure(error, null);
    }
  }

  /** Every later call fails with "closed". */
  close(): void {
    this.#disconnect();
    this.#fault = new StoreError("closed", "sqlite: the store is closed");
    this.#checkAt = Number.POSITIVE_INFINITY;
  }

  #current(): Connection {
    const now = performance.now();
    if (now >= this.#checkAt) return this.#refresh(now);
    if (this.#fault !== null) throw this.#fault;
    return this.#connection ?? this.#refresh(now);
  }

  /** Checks the path, and opens the file there if it is another one. */
  #refresh(now: number): Connection {
    this.#fault = null;
    this.#checkAt = now + CHECK_INTERVAL;
    const state = stateOf(this.#options.path);
    const seen = this.#seen;
    const hasChanged = seen === null || !isSameState(state, seen) || !seen.isSettled;
    if (this.#connection === null || hasChanged) return this.#renew(state);
    this.#wal = walBeside(this.#options.path);
    this.#connection.followSchema();
    return this.#connection;
  }

  /**
   * True if the answer is that of the file as it is now, so that an absence may count. SQLite guarantees that while all
   * programs write through SQLite. A copy over the file does not, and can leave pages of two databases in the cache.
   * @param isFresh no pages were cached before this read
   */
  #isUnchanged(isFresh: boolean): boolean {
    const state = stateOf(this.#options.path);
    const seen = this.#seen;
    if (seen !== null && isSameState(state, seen) && (isFresh || seen.isSettled)) return true;
    this.#renew(state);
    return false;
  }

  /** Drops cached pages; opens the file at the path if it is another one. */
  #renew(state: FileState): Connection {
    const { path, log } = this.#options;
    let connection = this.#connection;
    if (connection !== null && this.#seen !== null && isSameFile(state, this.#seen)) {
      connection.refresh(!isSameState(state, this.#seen));
    } else {
      const isReplaced = this.#file !== null && !isSameFile(state, this.#file);
      this.#disconnect();
      if (isReplaced) this.#checkWal();
      connection = this.#open();
      if (isReplaced) log.notice(`sqlite: ${path} was replaced; the new file is in use`);
    }
    if (state.size % connection.pageSize !== 0) {
      // SQLite writes whole pages, and reads the missing part of a page as zeros.
      throw new UnusableFile(`${path} ends within a page; it is damaged, or not completely written`);
    }
    this.#seen = state;
    this.#sqliteVersion = Number.NaN;
    this.#file = state;
    this.#wal = walBeside(path);
    return connection;
  }

  #open(): Connection {
    const { path, busyTimeout, layout, log } = this.#options;
    const connection = new Connection(path, this.#lockedAt === null ? busyTimeout : 0, layout);
    this.#connection = connection;
    for (const warning of connection.warnings) {
      if (!this.#warnings.has(warning)) log.warning(`sqlite: ${path}: ${warning}`);
    }
    this.#warnings = new Set(connection.warnings);
    return connection;
  }

  /** SQLite would apply the write-ahead log of the previous database to the new one. */
  #checkWal(): void {
    const { path } = this.#options;
    const wal = walBeside(path);
    if (wal === null || wal.size === 0 || wal.inode !== this.#wal?.inode) return;
    throw new UnusableFile(
      `${path} was replaced, but ${path}-wal still belongs to the database before; stop the programs that write to it, ` +
        `remove ${path}-wal and ${path}-shm, and replace the database again`,
    );
  }

  #disconnect(): void {
    this.#connection?.close();
    this.#connection = null;
    this.#seen = null;
  }

  #failure(error: unknown, mailbox: MailboxId | null): StoreError {
    if (error instanceof StoreError) return error;
    if (error instanceof RowError && mailbox !== null) {
      return new StoreError("invalid-data", `sqlite: ${describeMailbox(mailbox)}: ${error.message}`, { cause: error });
    }
    const { path, layout } = this.#options;
    if (isLock(error)) return this.#locked("is locked by another program");
    const cause = fileProblem(path) ?? error;
    const fault = describeFault(path, cause, layout.remedy);
    if (this.#connection === null || isFileFault(cause)) {
      this.#disconnect();
      this.#fault = fault;
      this.#checkAt = performance.now() + CHECK_INTERVAL;
      this.#lockedAt = null;
    }
    return fault;
  }

  /** After the first failure, SQLite's busy timeout is 0: the look-up is repeated by a timer, so the process does not wait. */
  #locked(how: string): StoreError {
    const now = performance.now();
    if (this.#connection !== null) this.#connection.busyTimeout = 0;
    if (this.#lockedAt === null || now > this.#checkAt + LOCK_RETRY_MAX) this.#lockedAt = now;
    const message = `sqlite: ${this.#options.path} ${how}`;
    this.#fault =
      now - this.#lockedAt < LOCK_RETRY_MAX
        ? new LockedError("unavailable", message)
        : new StoreError("unavailable", `${message}; find the program that holds it, with fuser(1) or lsof(8)`);
    this.#checkAt = now + LOCK_INTERVAL;
    return this.#fault;
  }

  #unlocked(): void {
    this.#lockedAt = null;
    if (this.#connection !== null) this.#connection.busyTimeout = this.#options.busyTimeout;
  }
}

/** A problem of the file itself explains an error of SQLite better than SQLite's message. null: there is none. */
function fileProblem(path: string): unknown {
  try {
    stateOf(path);
    return null;
  } catch (error) {
    return error;
  }
}
