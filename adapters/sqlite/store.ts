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
  /** Milliseconds that SQLite waits for a lock; the whole program waits. */
  readonly busyTimeout: number;
  readonly layout: Layout;
}

/** Answers at once, but for a file that another program holds: that one is asked again between other work. */
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
      this.similarFolders = (mailbox, lookup) => this.#ask(() => this.#file.folders(mailbox), lookup);
    }
    try {
      this.#file.probe();
    } catch (error) {
      // Not a reason not to start, but one to say so before the first request.
      if (!(error instanceof LockedError)) log.error(error instanceof Error ? error.message : String(error));
    }
  }

  lookup(mailbox: MailboxId, options: LookupOptions): MailboxFacts | Promise<MailboxFacts> {
    return this.#ask(() => this.#file.find(mailbox), options);
  }

  dataVersion(): number | null {
    return this.#file.dataVersion();
  }

  async ping(options: LookupOptions): Promise<void> {
    await this.#ask(() => this.#file.probe(), options);
  }

  async close(): Promise<void> {
    this.#file.close();
    this.#closing.abort(new StoreError("closed", "sqlite: the store is closed"));
  }

  #ask<T>(ask: () => T, options: LookupOptions): T | Promise<T> {
    try {
      return ask();
    } catch (error) {
      if (error instanceof LockedError) return this.#retry(ask, options);
      throw error;
    }
  }

  /** Asks again until the file is free, or has been locked for too long, or nobody waits for the answer any more. */
  async #retry<T>(ask: () => T, options: LookupOptions): Promise<T> {
    const stop = AbortSignal.any([options.signal, this.#closing.signal]);
    for (;;) {
      await delay(LOCK_INTERVAL, undefined, { signal: stop }).catch(() => stop.throwIfAborted());
      try {
        return ask();
      } catch (error) {
        if (!(error instanceof LockedError)) throw error;
      }
    }
  }
}
