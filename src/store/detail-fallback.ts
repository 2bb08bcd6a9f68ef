/**
 * Further look-ups for a detail whose folder is absent as written (smmap_detail_ignore_case, smmap_plus_fallback). Between
 * the adapter's store and the guard, so that all of them share one deadline. Each follows a positive "absent", never a failure.
 */
import { sameButForCase } from "../engine/folder-case.ts";
import {
  type LookupOptions,
  type MailboxFacts,
  type MailboxId,
  type MailboxStore,
  type StoreCapabilities,
  StoreError,
} from "./store.ts";

export interface DetailFallback {
  /** smmap_detail_ignore_case: a folder that is absent as written is looked for in another case. */
  readonly ignoresCase: boolean;
  /** smmap_plus_fallback: the INBOX answers for a user's folder that is absent. */
  readonly fallsBack: boolean;
}

export class DetailFallbackStore implements MailboxStore {
  readonly dataVersion?: NonNullable<MailboxStore["dataVersion"]>;
  readonly #store: MailboxStore;
  readonly #fallback: DetailFallback;

  constructor(store: MailboxStore, fallback: DetailFallback) {
    this.#store = store;
    this.#fallback = fallback;
    if (store.dataVersion !== undefined) this.dataVersion = store.dataVersion.bind(store);
  }

  get name(): string {
    return this.#store.name;
  }

  get capabilities(): StoreCapabilities {
    return this.#store.capabilities;
  }

  lookup(mailbox: MailboxId, options: LookupOptions): MailboxFacts | Promise<MailboxFacts> {
    const facts = this.#store.lookup(mailbox, options);
    if (mailbox.folders.length === 0) return facts;
    // An answer that is neither facts nor a promise is left to the guard to refuse.
    if ("then" in facts) return this.#lookFurther(facts, mailbox, options);
    return facts.exists === false ? this.#lookFurther(Promise.resolve(facts), mailbox, options) : facts;
  }

  ping(options: LookupOptions): Promise<void> {
    return this.#store.ping(options);
  }

  close(): Promise<void> {
    return this.#store.close();
  }

  /** Facts of the first of these that is there: the mailbox itself, the same in another case, the INBOX. */
  async #lookFurther(first: Promise<MailboxFacts>, mailbox: MailboxId, options: LookupOptions): Promise<MailboxFacts> {
    let facts = await first;
    if (facts.exists === false && this.#fallback.ignoresCase) facts = await this.#inAnotherCase(mailbox, options);
    if (facts.exists !== false || !this.#fallback.fallsBack || mailbox.kind === "shared") return facts;
    return this.#lookupInstead({ ...mailbox, folders: [], detail: null }, options);
  }

  async #inAnotherCase(mailbox: MailboxId, options: LookupOptions): Promise<MailboxFacts> {
    const similar = await this.#store.similarFolders?.(mailbox, options);
    const [folders, ...others] = sameButForCase(mailbox.folders, similar ?? []);
    if (folders === undefined) return { exists: false };
    if (others.length > 0) {
      const spellings = [folders, ...others].map((path) => path.join("/")).join(", ");
      throw new StoreError(
        "invalid-data",
        `${this.name}: ${mailbox.address} has ${spellings}: ambiguous, rename or remove all but one`,
      );
    }
    return this.#lookupInstead({ ...mailbox, folders }, options);
  }

  async #lookupInstead(mailbox: MailboxId, options: LookupOptions): Promise<MailboxFacts> {
    const facts = await this.#store.lookup(mailbox, options);
    return facts.exists ? { ...facts, mailbox } : facts;
  }
}
