/** The mailbox store of a directory: determines the searches of a look-up. */
import {
  type Log,
  type LookupOptions,
  type MailboxFacts,
  type MailboxId,
  type MailboxStore,
  type StoreCapabilities,
  StoreError,
} from "../../src/store/store.ts";
import { Directory } from "./directory.ts";
import { filterHasToken } from "./filter.ts";
import type { LdapOptions, RecipientOptions } from "./options.ts";
import { ConnectionPool } from "./pool.ts";
import { ABSENT, attributesFor, RecipientReader } from "./recipients.ts";
import { tokensOf } from "./tokens.ts";

export class LdapStore implements MailboxStore {
  readonly name = "ldap";
  readonly capabilities: StoreCapabilities;
  readonly #options: RecipientOptions;
  readonly #pool: ConnectionPool;
  readonly #directory: Directory;
  readonly #reader: RecipientReader;
  readonly #closing = new AbortController();

  constructor(options: LdapOptions, log: Log) {
    const { userFilter, sharedFilter, folderAttribute, storage, messages } = options.recipients;
    this.#options = options.recipients;
    this.capabilities = {
      folders: folderAttribute !== null,
      shared: sharedFilter !== null && filterHasToken(sharedFilter, "f"),
      quota: [...(storage !== null ? ["STORAGE" as const] : []), ...(messages !== null ? ["MESSAGE" as const] : [])],
    };
    this.#pool = new ConnectionPool(options.connection, log);
    this.#directory = new Directory(options.directory, this.#pool, userFilter, sharedFilter, log);
    this.#reader = new RecipientReader(options.recipients, log);
  }

  lookup(mailbox: MailboxId, { signal }: LookupOptions): Promise<MailboxFacts> {
    return this.#withAbort(signal, async () => {
      const facts = await this.#find(mailbox, signal);
      // Runs in the background and is not cancelled with this look-up.
      void this.#directory.survey(this.#closing.signal);
      return facts;
    });
  }

  ping({ signal }: LookupOptions): Promise<void> {
    return this.#withAbort(signal, async () => {
      await this.#directory.ping(signal);
      await this.#directory.survey(this.#closing.signal);
    });
  }

  async close(): Promise<void> {
    this.#closing.abort(new StoreError("closed", "ldap: the store is closed"));
    this.#pool.close();
  }

  async #find(mailbox: MailboxId, signal: AbortSignal): Promise<MailboxFacts> {
    const values = tokensOf(mailbox, this.#options);
    if (mailbox.kind === "user") {
      const user = await this.#directory.findUser(values, attributesFor(mailbox, false, this.#options), signal);
      if (user !== null) return this.#reader.facts(mailbox, user, false);
    }
    // Also for addresses that belong to no user: in Kolab and Univention shared folders have their own addresses.
    const folder = await this.#directory.findShared(values, attributesFor(mailbox, true, this.#options), signal);
    return folder === null ? ABSENT : this.#reader.facts(mailbox, folder, true);
  }

  /** Runs a task, but rejects at once if the signal is aborted. Rejects if the store is closed. */
  #withAbort<T>(signal: AbortSignal, task: () => Promise<T>): Promise<T> {
    const closing = this.#closing.signal;
    if (closing.aborted) return Promise.reject(closing.reason);
    if (signal.aborted) return Promise.reject(signal.reason);
    return new Promise<T>((resolve, reject) => {
      const onAbort = () => reject(signal.reason);
      signal.addEventListener("abort", onAbort, { once: true });
      task()
        .then(resolve, reject)
        .finally(() => signal.removeEventListener("abort", onAbort));
    });
  }
}
