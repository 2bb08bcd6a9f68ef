/** One request in, exactly one reply out: what is said to a client, whatever happens behind. */
import { encodeNetstring } from "../engine/netstring.ts";
import type { RecipientParser } from "../engine/recipient.ts";
import { parseRequest } from "../engine/socketmap.ts";
import { decide, type ReplyPolicy, replyTo, replyToBadProtocol } from "../engine/verdict.ts";
import type { GuardedStore } from "../store/guarded.ts";
import type { Lookup } from "../store/lookup.ts";
import { type Log, type MailboxFacts, type MailboxId, StoreError } from "../store/store.ts";

export interface ResponderOptions {
  readonly recipients: RecipientParser;
  readonly store: GuardedStore;
  readonly policy: ReplyPolicy;
  readonly log: Log;
}

const missingKey = encodeNetstring(replyToBadProtocol("missing key"));

/** Made anew with each configuration, shared by all connections. */
export class Responder {
  readonly #options: ResponderOptions;

  constructor(options: ResponderOptions) {
    this.#options = options;
  }

  get store(): GuardedStore {
    return this.#options.store;
  }

  /**
   * The reply to the payload of a request, as a netstring: at once where the store answers at once. Never throws, never
   * rejects.
   */
  respond(payload: string, lookup: Lookup): string | Promise<string> {
    const request = parseRequest(payload);
    if (request === null) return missingKey;
    const { key } = request;
    const { recipients, store, policy } = this.#options;
    try {
      const mailbox = recipients.parse(key);
      if (mailbox.kind === "none") return encodeNetstring(replyTo("absent", key, policy));
      const facts = store.lookup(mailbox, lookup);
      return facts instanceof Promise ? this.#respondLater(facts, mailbox, key) : this.#conclude(mailbox, facts, key);
    } catch (error) {
      return this.#fail(error, key);
    }
  }

  async #respondLater(facts: Promise<MailboxFacts>, mailbox: MailboxId, key: string): Promise<string> {
    try {
      return this.#conclude(mailbox, await facts, key);
    } catch (error) {
      return this.#fail(error, key);
    }
  }

  #conclude(mailbox: MailboxId, facts: MailboxFacts, key: string): string {
    return encodeNetstring(replyTo(decide(mailbox, facts), key, this.#options.policy));
  }

  /** The guard has told the log of a StoreError; anything else is a mistake of ours. */
  #fail(error: unknown, key: string): string {
    if (!(error instanceof StoreError)) {
      this.#options.log.error(`a mistake in smmapd: ${error instanceof Error ? error.stack : String(error)}`);
    }
    const failure = error instanceof StoreError && error.code === "timeout" ? "timeout" : "failed";
    return encodeNetstring(replyTo(failure, key, this.#options.policy));
  }
}
