import { setTimeout as delay } from "node:timers/promises";
import {
  type LookupOptions,
  type MailboxFacts,
  type MailboxId,
  type MailboxStore,
  type StoreCapabilities,
  type StoreContext,
  StoreError,
} from "../../src/store/store.ts";
import { DatabaseFile, LOCK_INTERVAL, LockedError } from "./database-file.ts";
import type { Layout } from "./tables.ts";

export interface SqliteOptions {
  /** The database file. */
  readonly path: string;
  /** Milliseconds that SQLite waits for a lock. The whole process waits. */
  readonly busyTimeout: number;
  readonly layout: Layout;
}

/** Answers synchronously, unless the file is locked: then the look-up is repeated by a timer. */
export class SqliteStore implements MailboxStore {
  readonly name = "sqlite";
  readonly capabilities: StoreCapabilities;
  readonly similarFolders?: NonNullable<MailboxStore["similarFolders"]>;
  readonly #file: DatabaseFile;
  readonly #closing = new AbortController();

  constructor(options: SqliteOptions, { log }: StoreContext) {
    this.capabilities = options.layout.capabilities;
    this.#file = new DatabaseFile({ ...options, log });
    if (options.layout.listsFolders) {
      this.similarFolders = (mailbox, lookup) => this.#run(() => this.#file.folders(mailbox), lookup);
    }
    try {
      this.#file.probe();
    } catch (error) {
      // The daemon starts all the same, and the error is logged before the first request.
      if (!(error instanceof LockedError)) log.error(error instanceof Error ? error.message : String(error));
    }
  }

  lookup(mailbox: MailboxId, options: LookupOptions): MailboxFacts | Promise<MailboxFacts> {
    return this.#run(() => this.#file.find(mailbox), options);
  }

  dataVersion(): number | null {
    return this.#file.dataVersion();
  }

  async ping(options: LookupOptions): Promise<void> {
    await this.#run(() => this.#file.probe(), options);
  }

  async close(): Promise<void> {
    this.#file.close();
    this.#closing.abort(new StoreError("closed", "sqlite: the store is closed"));
  }

  #run<T>(read: () => T, options: LookupOptions): T | Promise<T> {
    try {
      return read();
    } catch (error) {
      if (error instanceof LockedError) return this.#retry(read, options);
      throw error;
    }
  }

  /** Repeats until the file is unlocked, the lock has lasted too long, the look-up is cancelled, or the store is closed. */
  async #retry<T>(read: () => T, options: LookupOptions): Promise<T> {
    const stop = AbortSignal.any([options.signal, this.#closing.signal]);
    for (;;) {
      await delay(LOCK_INTERVAL, undefined, { signal: stop }).catch(() => stop.throwIfAborted());
      try {
        return read();
      } catch (error) {
        if (!(error instanceof LockedError)) throw error;
      }
    }
  }
}
