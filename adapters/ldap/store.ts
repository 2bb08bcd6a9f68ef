/** The mailbox store of a directory: determines the searches of a look-up. */
import { acceptsPosting } from "../../src/store/kit/index.ts";
import {
  type Log,
  type LookupOptions,
  type MailboxFacts,
  type MailboxId,
  type MailboxStore,
  type StoreCapabilities,
  StoreError,
} from "../../src/store/store.ts";
import { Directory, type EntryReader } from "./directory.ts";
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
      const wanted = attributesFor(mailbox, false, this.#options);
      const user = await this.#directory.findUser(values, wanted, this.#entryReader(mailbox, false), signal);
      if (user !== null) return user;
    }
    // Also for addresses that belong to no user: in Kolab and Univention shared folders have their own addresses.
    const wanted = attributesFor(mailbox, true, this.#options);
    return (await this.#directory.findShared(values, wanted, this.#entryReader(mailbox, true), signal)) ?? ABSENT;
  }

  #entryReader(mailbox: MailboxId, isShared: boolean): EntryReader {
    const { aclAttribute, folderAttribute } = this.#options;
    const namesFolder = mailbox.kind === "user" && mailbox.folders.length > 0;
    return {
      facts: (entry) => this.#reader.facts(mailbox, entry, isShared),
      isRefusal: (facts) => !facts.exists || (facts.rights !== null && !acceptsPosting(mailbox, facts)),
      decidingAttribute: isShared ? aclAttribute : namesFolder ? folderAttribute : null,
    };
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
