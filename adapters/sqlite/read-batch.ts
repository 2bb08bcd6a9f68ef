/**
 * The read transaction that all requests of one tick of the event loop share. Acquiring and releasing SQLite's lock costs
 * more than a look-up. Everything that is read in one transaction is of the same moment.
 */
import type { Database, Statement } from "better-sqlite3";

/** Reads in one transaction at most, so that a writer never waits long for its end. */
const READS_MAX = 400;
/** Calls of `join` by one request: for the data version, and for its mailbox. */
const CALLS_PER_REQUEST = 2;

export class ReadBatch {
  readonly #database: Database;
  readonly #begin: Statement<[]>;
  readonly #commit: Statement<[]>;
  readonly #dataVersion: Statement<[], number>;
  readonly #onNewVersion: () => void;
  /** Whether `join` was called in this tick. */
  #hasRequests = false;
  /** Calls of `join` in this tick. */
  #calls = 0;
  /** Whether the last tick with requests had more than one. */
  #wasBusy = false;
  /** Reads in the current transaction. */
  #reads = 0;
  /** PRAGMA data_version of the current transaction, or of the last one. */
  #version: number;
  /** The error of a COMMIT at the end of a tick, for the next request; null: there was none. */
  #failure: unknown = null;
  readonly #endTick = (): void => {
    this.#hasRequests = false;
    this.#wasBusy = this.#calls > CALLS_PER_REQUEST;
    this.#calls = 0;
    try {
      this.end();
    } catch (error) {
      this.#failure = error;
    }
  };

  /** @param onNewVersion called in a new transaction, before its first read, if the data have changed since the last one */
  constructor(database: Database, onNewVersion: () => void) {
    this.#database = database;
    this.#begin = database.prepare("BEGIN");
    this.#commit = database.prepare("COMMIT");
    this.#dataVersion = database.prepare<[], number>("PRAGMA data_version").pluck(true);
    this.#onNewVersion = onNewVersion;
    this.#version = this.currentVersion();
  }

  /** PRAGMA data_version of the current transaction, or of the last one. */
  get version(): number {
    return this.#version;
  }

  /** PRAGMA data_version now. */
  currentVersion(): number {
    return this.#dataVersion.get() ?? 0;
  }

  /** True if no other request came in this tick, and none is likely to come: then a transaction does not pay. */
  get isSoleRequest(): boolean {
    return !this.#hasRequests && !this.#wasBusy;
  }

  /** True if the last transaction could not be ended. Nothing may be read before `throwFailure`. */
  get hasFailed(): boolean {
    return this.#failure !== null;
  }

  /** Adds a call to this tick. The transaction ends with the tick. */
  join(): void {
    this.#calls++;
    if (this.#hasRequests) return;
    this.#hasRequests = true;
    setImmediate(this.#endTick);
  }

  /** Ends a transaction whose COMMIT has failed, and throws the error of that COMMIT. No-op if there was none. */
  throwFailure(): void {
    const failure = this.#failure;
    if (failure === null) return;
    this.end();
    this.#failure = null;
    throw failure;
  }

  /** To be called before each read. @returns true if the transaction begins with this read */
  begin(): boolean {
    if (this.#reads === READS_MAX) this.end();
    const isFresh = this.#reads === 0 && this.#beginTransaction();
    this.#reads++;
    return isFresh;
  }

  /** Ends the transaction early. The next read begins another one. */
  end(): void {
    this.#reads = 0;
    if (this.#database.inTransaction) this.#commit.run();
  }

  #beginTransaction(): boolean {
    // A transaction whose first read met a lock is open and has not read anything.
    const isFresh = !this.#database.inTransaction;
    if (isFresh) this.#begin.run();
    const version = this.currentVersion();
    if (version !== this.#version) {
      this.#onNewVersion();
      this.#version = version;
    }
    return isFresh;
  }
}
