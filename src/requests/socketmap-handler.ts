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
  statusOf,
  type Verdict,
} from "../engine/verdict.ts";
import { noMap, type Reason } from "../metrics/reply-counts.ts";
import { type CountedRequest, Tally } from "../metrics/tally.ts";
import type { FactSource } from "../store/fact-source.ts";
import type { Lookup } from "../store/lookup.ts";
import type { Log, MailboxFacts, MailboxId } from "../store/store.ts";
import { VerdictMemory } from "./accept-cache.ts";
import type { Audit } from "./audit-log.ts";
import { judgeFailure, type RecipientCheck } from "./recipient-judge.ts";

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
  /** How many verdicts are remembered; left out: none. */
  readonly memorySize?: number;
  /** Left out: nobody wants to know. */
  readonly tally?: Tally;
  readonly log: Log;
}

/** Maps that are answered in the form of Postfix' access(5). */
export interface AccessMaps {
  readonly names: ReadonlySet<string>;
  readonly check: RecipientCheck;
  readonly texts: AccessTexts;
}

/** A request that is being answered. */
interface Asked extends CountedRequest {
  /** The whole of it, as received. */
  readonly payload: string;
  /** Who asks, for the audit. */
  readonly client: string;
  /** When it was read whole, on the clock of performance.now(). */
  readonly since: number;
  /** Of the store's data at that time; null: it is not known, or of no use. */
  readonly edition: number | null;
}

/** Made anew with each configuration, shared by all connections. */
export class Responder {
  readonly #options: ResponderOptions;
  /** What was decided before, where the store can tell that it still holds. */
  readonly memory: VerdictMemory;
  readonly #tally: Tally;
  /** Of socketmap's replies. */
  readonly #statuses: Readonly<Record<Verdict | Failure, string>>;

  constructor(options: ResponderOptions) {
    this.#options = options;
    // A reply that names the mailbox is made of more than a verdict.
    this.memory = new VerdictMemory(options.value === "key" ? (options.memorySize ?? 0) : 0);
    this.#tally = options.tally ?? new Tally();
    this.#statuses = statusesOf(options.policy);
    for (const map of options.accessMaps?.names ?? []) this.#tally.replies.expect(map);
  }

  /**
   * The reply to the payload of a request, as a netstring: at once where the store answers at once. Never throws, never
   * rejects.
   * @param client who asks, for the audit
   */
  respond(payload: string, lookup: Lookup, client: string): string | Promise<string> {
    const since = performance.now();
    const request = parseRequest(payload);
    if (request === null) return this.refuse("missing key", client);
    const { map, key } = request;
    const { recipients, store, accessMaps } = this.#options;
    if (accessMaps?.names.has(map)) {
      return this.#respondAccess(accessMaps, { payload, map, key, client, since, edition: null }, lookup);
    }
    const edition = this.memory.isAwake() ? store.edition() : null;
    const asked = { payload, map, key, client, since, edition };
    try {
      if (this.memory.has(payload, edition)) return this.#reply("accept", "accept", asked);
      const mailbox = recipients.parse(key);
      if (mailbox.kind === "none") return this.#reply("absent", "absent", asked);
      const facts = store.lookup(mailbox, lookup);
      if (facts instanceof Promise) return this.#respondLater(facts, mailbox, asked);
      return this.#conclude(mailbox, facts, asked);
    } catch (error) {
      return this.#fail(error, asked);
    }
  }

  /** The reply to what is no request. @param fault the original's words: "missing key", "missing length", … */
  refuse(fault: string, client: string): string {
    this.#options.audit?.tellFault(client);
    const reply = replyToBadProtocol(fault);
    this.#tally.replied({ map: noMap, key: "" }, performance.now(), statusOf(reply), "protocol");
    return encodeNetstring(reply);
  }

  async #respondLater(facts: Promise<MailboxFacts>, mailbox: MailboxId, asked: Asked): Promise<string> {
    this.#tally.inFlight++;
    try {
      return this.#conclude(mailbox, await facts, asked);
    } catch (error) {
      return this.#fail(error, asked);
    } finally {
      this.#tally.inFlight--;
    }
  }

  async #respondAccess(maps: AccessMaps, asked: Asked, lookup: Lookup): Promise<string> {
    this.#tally.inFlight++;
    const { outcome, reason } = await maps.check.judge(asked.key, 0, lookup);
    this.#tally.inFlight--;
    if (outcome === "failed" || outcome === "timeout") return this.#reply(outcome, reason, asked);
    this.#options.audit?.tell(outcome, asked.key, asked.client);
    const action = actionFor(outcome, maps.texts, this.#options.policy);
    this.#tally.replied(asked, asked.since, statusOf(action), reason);
    return encodeNetstring(`OK ${action}`);
  }

  #conclude(mailbox: MailboxId, facts: MailboxFacts, asked: Asked): string {
    const verdict = decide(mailbox, facts);
    if (verdict === "accept") this.memory.keep(asked.payload, asked.edition);
    const isNamed = this.#options.value === "mailbox" && facts.exists;
    return this.#reply(verdict, verdict, asked, isNamed ? nameAsValue(mailbox, facts) : asked.key);
  }

  #fail(error: unknown, asked: Asked): string {
    const { outcome, reason } = judgeFailure(error, this.#options);
    return this.#reply(outcome, reason, asked);
  }

  /** @param reason what is behind the outcome */
  #reply(outcome: Verdict | Failure, reason: Reason, asked: Asked, value = asked.key): string {
    this.#options.audit?.tell(outcome, asked.key, asked.client);
    this.#tally.replied(asked, asked.since, this.#statuses[outcome], reason);
    return encodeNetstring(replyTo(outcome, value, this.#options.policy));
  }
}

function statusesOf(policy: ReplyPolicy): Record<Verdict | Failure, string> {
  const status = (outcome: Verdict | Failure) => statusOf(replyTo(outcome, "", policy));
  return {
    accept: status("accept"),
    absent: status("absent"),
    denied: status("denied"),
    "over-quota": status("over-quota"),
    failed: status("failed"),
    timeout: status("timeout"),
  };
}
