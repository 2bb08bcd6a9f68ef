/**
 * A database file that belongs to others: they write to it, lock it, replace it, take it away and break it, and we go
 * on reading. Whatever is wrong with the file, that is an error and never an absence, and soon after it is tried again.
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

/** Milliseconds between two looks at the path for a file that was replaced, and between two tries of one at fault. */
const LOOK_INTERVAL = 500;
/** Milliseconds until a locked file is tried again. */
export const LOCK_INTERVAL = 20;
/** Milliseconds for which the end of a lock is worth waiting for. */
const LOCK_PATIENCE = 2000;
/** How often an absence is looked for in a file that changes meanwhile. */
const ATTEMPTS = 4;

/** Another program holds the file, and has not done so for long: the question may be answered in a moment. */
export class LockedError extends StoreError {}

export interface DatabaseFileOptions {
  readonly path: string;
  /** Milliseconds that SQLite waits for a lock; the whole program waits. */
  readonly busyTimeout: number;
  readonly layout: Layout;
  readonly log: Log;
}

interface Question<Answer> {
  ask(connection: Connection, mailbox: MailboxId): Answer;
  /** Whether the answer says nothing of what is not there or not allowed, which mail would be lost by. */
  isPositive(answer: Answer, mailbox: MailboxId): boolean;
}

const existence: Question<MailboxFacts> = {
  ask: (connection, mailbox) => connection.find(mailbox),
  isPositive: (facts, mailbox) => facts.exists && acceptsPosting(mailbox, facts),
};

const folderList: Question<FolderPaths> = {
  ask: (connection, mailbox) => connection.folders(mailbox),
  isPositive: () => false,
};

export class DatabaseFile {
  readonly #options: DatabaseFileOptions;
  #connection: Connection | null = null;
  /** The file as it was when the connection began to keep pages of it. */
  #seen: FileState | null = null;
  #dataVersion = 0;
  /** PRAGMA data_version when #dataVersion was last raised; comparable within one connection only. */
  #sqliteVersion = Number.NaN;
  /** Why the file cannot be asked before the next look. */
  #fault: StoreError | null = null;
  /** When to look at the path again, by performance.now(). */
  #lookAt = 0;
  /** When the file was first found locked, by the same clock; null: it is not. */
  #lockedAt: number | null = null;
  /** The file that was last in use, and the write-ahead log beside it then. */
  #file: FileState | null = null;
  #wal: WriteAheadLog | null = null;
  /** What was warned of already. */
  #warnings: ReadonlySet<string> = new Set();

  constructor(options: DatabaseFileOptions) {
    this.#options = options;
  }

  /** @throws StoreError; LockedError where it is worth asking again */
  find(mailbox: MailboxId): MailboxFacts {
    return this.#ask(existence, mailbox);
  }

  /** All folders of the mailbox's owner. @throws as `find` does */
  folders(mailbox: MailboxId): FolderPaths {
    return this.#ask(folderList, mailbox);
  }

  #ask<Answer>({ ask, isPositive }: Question<Answer>, mailbox: MailboxId): Answer {
    try {
      for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
        const answer = ask(this.#current(), mailbox);
        if (this.#lockedAt !== null) this.#unlocked();
        if (isPositive(answer, mailbox) || this.#isUnchanged(attempt > 1)) return answer;
      }
    } catch (error) {
      throw this.#failure(error, mailbox);
    }
    throw this.#locked("is written to without a pause");
  }

  /**
   * Grows with every change of the file; null where answers depend on more than what it holds. @throws as `find` does
   */
  dataVersion(): number | null {
    try {
      const connection = this.#current();
      const version = connection.dataVersion();
      // Then nothing has been read, so a lock may still be there.
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

  /** Asks the file for its schema. @throws as `find` does */
  probe(): void {
    try {
      this.#current().probe();
      if (this.#lockedAt !== null) this.#unlocked();
    } catch (error) {
      throw this.#failure(error, null);
    }
  }

  /** From now on everything fails with "closed". */
  close(): void {
    this.#disconnect();
    this.#fault = new StoreError("closed", "sqlite: the store is closed");
    this.#lookAt = Number.POSITIVE_INFINITY;
  }

  #current(): Connection {
    const now = performance.now();
    if (now >= this.#lookAt) return this.#look(now);
    if (this.#fault !== null) throw this.#fault;
    return this.#connection ?? this.#look(now);
  }

  /** Looks at the path, and goes over to what is there now. */
  #look(now: number): Connection {
    this.#fault = null;
    this.#lookAt = now + LOOK_INTERVAL;
    const state = stateOf(this.#options.path);
    const seen = this.#seen;
    const isNews = seen === null || !isSameState(state, seen) || !seen.isSettled;
    if (this.#connection === null || isNews) return this.#renew(state);
    this.#wal = walBeside(this.#options.path);
    this.#connection.followSchema();
    return this.#connection;
  }

  /**
   * Whether an absence can be believed: what was read is the file as it is now. SQLite sees to that where everybody
   * writes by its rules. A copy over the file does not, and can leave pages of two databases in our memory.
   * @param isFresh nothing was kept from before
   */
  #isUnchanged(isFresh: boolean): boolean {
    const state = stateOf(this.#options.path);
    const seen = this.#seen;
    if (seen !== null && isSameState(state, seen) && (isFresh || seen.isSettled)) return true;
    this.#renew(state);
    return false;
  }

  /** Forgets what was read; goes over to the file at the path where it is another one. */
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
      // SQLite writes whole pages, and reads the missing part of one as zeros.
      throw new UnusableFile(`${path} ends within a page; it is damaged, or not yet written to its end`);
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

  /** SQLite would read the log of the database that was here before as a part of the one that is here now. */
  #checkWal(): void {
    const { path } = this.#options;
    const wal = walBeside(path);
    if (wal === null || wal.size === 0 || wal.inode !== this.#wal?.inode) return;
    throw new UnusableFile(
      `${path} was replaced, but ${path}-wal still belongs to the database before; stop what writes to it, ` +
        `remove ${path}-wal and ${path}-shm, and put the new database in place once more`,
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
      this.#lookAt = performance.now() + LOOK_INTERVAL;
      this.#lockedAt = null;
    }
    return fault;
  }

  /** From the first failure on, nobody waits for the lock within SQLite, where the whole program would wait too. */
  #locked(how: string): StoreError {
    const now = performance.now();
    if (this.#connection !== null) this.#connection.busyTimeout = 0;
    if (this.#lockedAt === null || now > this.#lookAt + LOCK_PATIENCE) this.#lockedAt = now;
    const message = `sqlite: ${this.#options.path} ${how}`;
    this.#fault =
      now - this.#lockedAt < LOCK_PATIENCE
        ? new LockedError("unavailable", message)
        : new StoreError("unavailable", `${message}; find the program that holds it, with fuser(1) or lsof(8)`);
    this.#lookAt = now + LOCK_INTERVAL;
    return this.#fault;
  }

  #unlocked(): void {
    this.#lockedAt = null;
    if (this.#connection !== null) this.#connection.busyTimeout = this.#options.busyTimeout;
  }
}

/** What can be seen of a file from outside says more than what a query came across in it. */
function fileProblem(path: string): unknown {
  try {
    stateOf(path);
    return null;
  } catch (error) {
    return error;
  }
}
