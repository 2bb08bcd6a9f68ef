/** One request in, exactly one reply out: what is said to a client, whatever happens behind. */
import { encodeNetstring } from "../engine/netstring.ts";
import type { RecipientParser } from "../engine/recipient.ts";
import { parseRequest } from "../engine/socketmap.ts";
import {
  decide,
  type Failure,
  type ReplyPolicy,
  replyTo,
  replyToBadProtocol,
  type Verdict,
} from "../engine/verdict.ts";
import type { GuardedStore } from "../store/guarded.ts";
import type { Lookup } from "../store/lookup.ts";
import { type Log, type MailboxFacts, type MailboxId, StoreError } from "../store/store.ts";
import type { Audit } from "./audit.ts";

export interface ResponderOptions {
  readonly recipients: RecipientParser;
  readonly store: GuardedStore;
  readonly policy: ReplyPolicy;
  /** null: nobody wants to be told of each answer. */
  readonly audit: Audit | null;
  readonly log: Log;
}

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
   * @param client who asks, for the audit
   */
  respond(payload: string, lookup: Lookup, client: string): string | Promise<string> {
    const request = parseRequest(payload);
    if (request === null) return this.refuse("missing key", client);
    const { key } = request;
    const { recipients, store } = this.#options;
    try {
      const mailbox = recipients.parse(key);
      if (mailbox.kind === "none") return this.#reply("absent", key, client);
      const facts = store.lookup(mailbox, lookup);
      if (facts instanceof Promise) return this.#respondLater(facts, mailbox, key, client);
      return this.#reply(decide(mailbox, facts), key, client);
    } catch (error) {
      return this.#fail(error, key, client);
    }
  }

  /** The reply to what is no request. @param fault the original's words: "missing key", "missing length", … */
  refuse(fault: string, client: string): string {
    this.#options.audit?.tellFault(client);
    return encodeNetstring(replyToBadProtocol(fault));
  }

  async #respondLater(facts: Promise<MailboxFacts>, mailbox: MailboxId, key: string, client: string): Promise<string> {
    try {
      return this.#reply(decide(mailbox, await facts), key, client);
    } catch (error) {
      return this.#fail(error, key, client);
    }
  }

  /** The guard has told the log of a StoreError; anything else is a mistake of ours. */
  #fail(error: unknown, key: string, client: string): string {
    if (!(error instanceof StoreError)) {
      this.#options.log.error(`a mistake in smmapd: ${error instanceof Error ? error.stack : String(error)}`);
    }
    return this.#reply(error instanceof StoreError && error.code === "timeout" ? "timeout" : "failed", key, client);
  }

  #reply(outcome: Verdict | Failure, key: string, client: string): string {
    this.#options.audit?.tell(outcome, key, client);
    return encodeNetstring(replyTo(outcome, key, this.#options.policy));
  }
}
