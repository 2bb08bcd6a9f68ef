/**
 * For sites that take a detail less literally than the original. Around the adapter's store and within the guard, so
 * that all attempts share one deadline. Each further attempt follows a positive "absent" and nothing else.
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

export interface Leniency {
  /** smmap_detail_ignore_case: a folder that is absent as written is looked for in another case. */
  readonly ignoresCase: boolean;
  /** smmap_plus_fallback: the INBOX answers for a user's folder that is absent. */
  readonly fallsBack: boolean;
}

export class LenientStore implements MailboxStore {
  readonly edition?: NonNullable<MailboxStore["edition"]>;
  readonly #store: MailboxStore;
  readonly #leniency: Leniency;

  constructor(store: MailboxStore, leniency: Leniency) {
    this.#store = store;
    this.#leniency = leniency;
    if (store.edition !== undefined) this.edition = store.edition.bind(store);
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
    // What is neither facts nor a promise is for the guard to judge.
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
    if (facts.exists === false && this.#leniency.ignoresCase) facts = await this.#inAnotherCase(mailbox, options);
    if (facts.exists !== false || !this.#leniency.fallsBack || mailbox.kind === "shared") return facts;
    return this.#lookupInstead({ ...mailbox, folders: [], detail: null }, options);
  }

  async #inAnotherCase(mailbox: MailboxId, options: LookupOptions): Promise<MailboxFacts> {
    const similar = await this.#store.similarFolders?.(mailbox, options);
    const [folders, ...others] = sameButForCase(mailbox.folders, similar ?? []);
    if (folders === undefined) return { exists: false };
    if (others.length > 0) {
      const spellings = [folders, ...others].map((path) => path.join("/")).join(", ");
      throw new StoreError("invalid-data", `${this.name}: ${mailbox.address} has ${spellings}: which is meant?`);
    }
    return this.#lookupInstead({ ...mailbox, folders }, options);
  }

  async #lookupInstead(mailbox: MailboxId, options: LookupOptions): Promise<MailboxFacts> {
    const facts = await this.#store.lookup(mailbox, options);
    return facts.exists ? { ...facts, mailbox } : facts;
  }
}
