/**
 * A database file that belongs to others: they write to it, lock it, replace it, take it away and break it, and we go
 * on reading. Whatever is wrong with the file, that is an error and never an absence, and soon after it is tried again.
 */
import { type Log, type MailboxFacts, type MailboxId, StoreError } from "../../src/store/store.ts";
import { Connection } from "./connection.ts";
import { describeFault, isFileFault, isLock } from "./fault.ts";
import { type FileState, isSameContent, isSameFile, stateOf, UnusableFile } from "./file-state.ts";
import { describeMailbox, RowError } from "./row.ts";
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

export class DatabaseFile {
  readonly #options: DatabaseFileOptions;
  #connection: Connection | null = null;
  /** The file as it was when the connection began to keep pages of it. */
  #seen: FileState | null = null;
  /** Why the file cannot be asked before the next look. */
  #fault: StoreError | null = null;
  /** When to look at the path again, by performance.now(). */
  #lookAt = 0;
  /** When the file was first found locked, by the same clock; null: it is not. */
  #lockedAt: number | null = null;
  #warning = "";

  constructor(options: DatabaseFileOptions) {
    this.#options = options;
  }

  /** @throws StoreError; LockedError where it is worth asking again */
  find(mailbox: MailboxId): MailboxFacts {
    try {
      for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
        const facts = this.#current().find(mailbox);
        if (this.#lockedAt !== null) this.#unlocked();
        if (facts.exists || this.#isUnchanged(attempt > 1)) return facts;
      }
    } catch (error) {
      throw this.#failure(error, mailbox);
    }
    throw this.#locked("is written to without a pause");
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
    if (now >= this.#lookAt) this.#look(now);
    if (this.#fault !== null) throw this.#fault;
    return this.#connection ?? this.#open(stateOf(this.#options.path));
  }

  #look(now: number): void {
    this.#fault = null;
    this.#lookAt = now + LOOK_INTERVAL;
    const state = stateOf(this.#options.path);
    if (this.#seen === null || !isSameContent(state, this.#seen)) this.#renew(state);
  }

  /**
   * Whether an absence can be believed: what was read is the file as it is now. SQLite sees to that where everybody
   * writes by its rules. A copy over the file does not, and can leave pages of two databases in our memory.
   * @param isFresh nothing was kept from before
   */
  #isUnchanged(isFresh: boolean): boolean {
    const state = stateOf(this.#options.path);
    const seen = this.#seen;
    if (seen !== null && isSameContent(state, seen) && (isFresh || seen.isSettled)) return true;
    this.#renew(state);
    return false;
  }

  /** Goes over to the file as it is now. */
  #renew(state: FileState): void {
    const connection = this.#connection;
    if (connection === null || this.#seen === null || !isSameFile(state, this.#seen)) {
      this.#open(state);
    } else {
      this.#seen = state;
      connection.refresh();
      this.#checkSize(state, connection);
    }
  }

  #open(state: FileState): Connection {
    const { path, busyTimeout, layout, log } = this.#options;
    const isReplaced = this.#connection !== null;
    this.#disconnect();
    const connection = new Connection(path, this.#lockedAt === null ? busyTimeout : 0, layout);
    this.#connection = connection;
    this.#seen = state;
    this.#checkSize(state, connection);
    if (isReplaced) log.notice(`sqlite: ${path} was replaced; the new file is in use`);
    this.#warnOfScans(connection);
    return connection;
  }

  /** SQLite writes whole pages, and takes the rest of a page that is cut off for zeros. */
  #checkSize({ size }: FileState, { pageSize }: Connection): void {
    if (size % pageSize === 0) return;
    throw new UnusableFile(`${this.#options.path} ends within a page; it is damaged, or not yet written to its end`);
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
    const { path } = this.#options;
    if (isLock(error)) return this.#locked("is locked by another program");
    const fault = describeFault(path, error);
    if (this.#connection === null || isFileFault(error)) {
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
    if (this.#lockedAt === null && this.#connection !== null) this.#connection.busyTimeout = 0;
    this.#lockedAt ??= now;
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

  /** Said once, and again when a new file has other tables to say it of. */
  #warnOfScans(connection: Connection): void {
    const { path, layout, log } = this.#options;
    const slow = layout.queries.flatMap((query) => {
      const tables = connection.tablesReadWhole(query);
      return tables.length === 0 ? [] : [`all of ${tables.join(" and ")} is read for: ${query.text}`];
    });
    const warning = slow.join("; ");
    if (warning !== "" && warning !== this.#warning) {
      log.warning(
        `sqlite: ${path}: a query uses no index, and every request waits for it: ${warning}. ` +
          "Make an index on the columns that it compares, and compare them as they are: no lower(), no LIKE",
      );
    }
    this.#warning = warning;
  }
}
