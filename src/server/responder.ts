/** One request in, exactly one reply out: what is said to a client, whatever happens behind. */
import { type AccessTexts, actionFor } from "../engine/access.ts";
import { encodeNetstring } from "../engine/netstring.ts";
import type { RecipientParser } from "../engine/recipient.ts";
import { parseRequest } from "../engine/socketmap.ts";
import {
  decide,
  type Failure,
  nameAsValue,
  type ReplyPolicy,
  replyTo,
  replyToBadProtocol,
  type Verdict,
} from "../engine/verdict.ts";
import type { FactSource } from "../store/fact-source.ts";
import type { Lookup } from "../store/lookup.ts";
import type { Log, MailboxFacts, MailboxId } from "../store/store.ts";
import type { Audit } from "./audit.ts";
import { outcomeOf, type RecipientCheck } from "./recipient-check.ts";

export interface ResponderOptions {
  readonly recipients: RecipientParser;
  readonly store: FactSource;
  readonly policy: ReplyPolicy;
  /** smmap_reply_value: what follows OK. */
  readonly value: "key" | "mailbox";
  /** null: there are none. */
  readonly accessMaps: AccessMaps | null;
  /** null: nobody wants to be told of each answer. */
  readonly audit: Audit | null;
  readonly log: Log;
}

/** Maps that are answered in the form of Postfix' access(5). */
export interface AccessMaps {
  readonly names: ReadonlySet<string>;
  readonly check: RecipientCheck;
  readonly texts: AccessTexts;
}

/** Made anew with each configuration, shared by all connections. */
export class Responder {
  readonly #options: ResponderOptions;

  constructor(options: ResponderOptions) {
    this.#options = options;
  }

  get store(): FactSource {
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
    const { map, key } = request;
    const { recipients, store, accessMaps } = this.#options;
    if (accessMaps?.names.has(map)) return this.#respondAccess(accessMaps, key, lookup, client);
    try {
      const mailbox = recipients.parse(key);
      if (mailbox.kind === "none") return this.#reply("absent", key, client);
      const facts = store.lookup(mailbox, lookup);
      if (facts instanceof Promise) return this.#respondLater(facts, mailbox, key, client);
      return this.#conclude(mailbox, facts, key, client);
    } catch (error) {
      return this.#reply(outcomeOf(error, this.#options), key, client);
    }
  }

  /** The reply to what is no request. @param fault the original's words: "missing key", "missing length", … */
  refuse(fault: string, client: string): string {
    this.#options.audit?.tellFault(client);
    return encodeNetstring(replyToBadProtocol(fault));
  }

  async #respondLater(facts: Promise<MailboxFacts>, mailbox: MailboxId, key: string, client: string): Promise<string> {
    try {
      return this.#conclude(mailbox, await facts, key, client);
    } catch (error) {
      return this.#reply(outcomeOf(error, this.#options), key, client);
    }
  }

  async #respondAccess(maps: AccessMaps, key: string, lookup: Lookup, client: string): Promise<string> {
    const { policy, audit } = this.#options;
    const outcome = await maps.check.judge(key, 0, lookup);
    if (outcome === "failed" || outcome === "timeout") return this.#reply(outcome, key, client);
    audit?.tell(outcome, key, client);
    return encodeNetstring(`OK ${actionFor(outcome, maps.texts, policy)}`);
  }

  #conclude(mailbox: MailboxId, facts: MailboxFacts, key: string, client: string): string {
    const verdict = decide(mailbox, facts);
    const isNamed = this.#options.value === "mailbox" && facts.exists;
    return this.#reply(verdict, key, client, isNamed ? nameAsValue(mailbox, facts) : key);
  }

  #reply(outcome: Verdict | Failure, key: string, client: string, value = key): string {
    this.#options.audit?.tell(outcome, key, client);
    return encodeNetstring(replyTo(outcome, value, this.#options.policy));
  }
}
