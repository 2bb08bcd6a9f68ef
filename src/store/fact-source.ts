import type { Lookup } from "./lookup.ts";
import type { MailboxFacts, MailboxId } from "./store.ts";

/** What the server asks: a guarded store, or a cache in front of one. */
export interface FactSource {
  /** Name of the store, for logs. */
  readonly name: string;
  /** Facts, at once where they are at hand. Throws or rejects with StoreError, and with nothing else. */
  lookup(mailbox: MailboxId, lookup: Lookup): MailboxFacts | Promise<MailboxFacts>;
  /** A number that stays the same as long as every answer does; null: nobody can tell. Never throws. */
  edition(): number | null;
  /** Resolves when the backend answers, within the deadline of a look-up. */
  ping(lookup: Lookup): Promise<void>;
  /** Lets the look-ups in flight finish, then closes. */
  retire(): Promise<void>;
  /** Ends the look-ups in flight with "closed". Idempotent. */
  close(): Promise<void>;
}
