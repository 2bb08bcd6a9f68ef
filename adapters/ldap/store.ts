/** A directory as a mailbox store: which searches answer a look-up. */
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
import { expandFilter, type FilterTemplate, filterHasToken } from "./filter.ts";
import type { LdapOptions, RecipientOptions } from "./options.ts";
import { ConnectionPool } from "./pool.ts";
import { ABSENT, attributesFor, RecipientReader, tokensOf } from "./recipients.ts";

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
    const filters = sharedFilter === null ? [userFilter] : [userFilter, sharedFilter];
    this.#directory = new Directory(options.directory, this.#pool, filters);
    this.#reader = new RecipientReader(options.recipients, log);
  }

  lookup(mailbox: MailboxId, { signal }: LookupOptions): Promise<MailboxFacts> {
    return this.#unless(signal, () => this.#find(mailbox, signal));
  }

  ping({ signal }: LookupOptions): Promise<void> {
    return this.#unless(signal, () => this.#directory.ping(signal));
  }

  async close(): Promise<void> {
    this.#closing.abort(new StoreError("closed", "ldap: the store is closed"));
    this.#pool.close();
  }

  async #find(mailbox: MailboxId, signal: AbortSignal): Promise<MailboxFacts> {
    const { userFilter, sharedFilter } = this.#options;
    if (mailbox.kind === "user") {
      const facts = await this.#findBy(userFilter, false, mailbox, signal);
      if (facts === undefined)
        throw new StoreError("invalid-data", "ldap: ldap_filter has no meaning for this address");
      if (facts !== null) return facts;
    }
    // Also for what is no user: Kolab and Univention give shared folders an address of their own.
    const shared = sharedFilter === null ? null : await this.#findBy(sharedFilter, true, mailbox, signal);
    return shared ?? ABSENT;
  }

  /** null: there is no such entry; undefined: the filter can match nothing for such a mailbox. */
  async #findBy(
    template: FilterTemplate,
    isShared: boolean,
    mailbox: MailboxId,
    signal: AbortSignal,
  ): Promise<MailboxFacts | null | undefined> {
    const values = tokensOf(mailbox, this.#options);
    const filter = expandFilter(template, values);
    if (filter === null) return undefined;
    const attributes = attributesFor(mailbox, isShared, this.#options);
    const entry = await this.#directory.find(filter, values, attributes, signal);
    return entry === null ? null : this.#reader.facts(mailbox, entry, isShared);
  }

  /** Does something, but does not wait for it any longer when the signal fires or the store is closed. */
  #unless<T>(signal: AbortSignal, task: () => Promise<T>): Promise<T> {
    const closing = this.#closing.signal;
    if (closing.aborted) return Promise.reject(closing.reason);
    if (signal.aborted) return Promise.reject(signal.reason);
    return new Promise<T>((resolve, reject) => {
      const giveUp = () => reject(signal.reason);
      signal.addEventListener("abort", giveUp, { once: true });
      task()
        .then(resolve, reject)
        .finally(() => signal.removeEventListener("abort", giveUp));
    });
  }
}
