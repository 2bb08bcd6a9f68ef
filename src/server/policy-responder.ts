/** One request of Postfix' policy delegation in, exactly one action out. */
import { type AccessTexts, actionFor, failureAction } from "../engine/access.ts";
import { ProtocolError } from "../engine/netstring.ts";
import { type PolicyRequest, parsePolicyRequest } from "../engine/policy-request.ts";
import { type ReplyPolicy, statusOf } from "../engine/verdict.ts";
import { policyMap, type Reason } from "../observe/reply-counts.ts";
import { Tally } from "../observe/tally.ts";
import type { Lookup } from "../store/lookup.ts";
import type { Log } from "../store/store.ts";
import type { Audit } from "./audit.ts";
import type { RecipientCheck } from "./recipient-check.ts";

export interface PolicyResponderOptions {
  readonly check: RecipientCheck;
  readonly texts: AccessTexts;
  readonly policy: ReplyPolicy;
  /** lmtp_strict_quota: a message that does not fit below the limit is over quota. */
  readonly countsSize: boolean;
  /** null: nobody wants to be told of each answer. */
  readonly audit: Audit | null;
  /** Left out: nobody wants to know. */
  readonly tally?: Tally;
  readonly log: Log;
}

/** Made anew with each configuration, shared by all connections. */
export class PolicyResponder {
  readonly #options: PolicyResponderOptions;
  readonly #tally: Tally;

  constructor(options: PolicyResponderOptions) {
    this.#options = options;
    this.#tally = options.tally ?? new Tally();
  }

  /** The reply to a request's lines. Never throws, never rejects. @param client who asks, for the audit */
  respond(lines: string, lookup: Lookup, client: string): string | Promise<string> {
    const since = performance.now();
    try {
      const request = parsePolicyRequest(lines);
      return request.recipient === ""
        ? this.#reply("DUNNO", "none", "", since)
        : this.#check(request, lookup, client, since);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      return this.refuse(error.message, client);
    }
  }

  /** The reply to what is no request: a mistake in somebody's configuration, for which no mail should bounce. */
  refuse(fault: string, client: string): string {
    const { audit, texts, log } = this.#options;
    audit?.tellFault(client);
    log.warning(`smmap_policy_listen: ${client} does not speak Postfix' policy delegation: ${fault}`);
    return this.#reply(failureAction(texts), "protocol", "", performance.now());
  }

  async #check({ recipient, size }: PolicyRequest, lookup: Lookup, client: string, since: number): Promise<string> {
    const { check, texts, policy, countsSize, audit } = this.#options;
    this.#tally.inFlight++;
    const { outcome, reason } = await check.judge(recipient, countsSize ? size : 0, lookup);
    this.#tally.inFlight--;
    audit?.tell(outcome, recipient, client);
    const isFailure = outcome === "failed" || outcome === "timeout";
    return this.#reply(isFailure ? failureAction(texts) : actionFor(outcome, texts, policy), reason, recipient, since);
  }

  #reply(action: string, reason: Reason, key: string, since: number): string {
    this.#tally.replied({ map: policyMap, key }, since, statusOf(action), reason);
    return `action=${action}\n\n`;
  }
}
