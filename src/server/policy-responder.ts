/** One request of Postfix' policy delegation in, exactly one action out. */
import { type AccessTexts, actionFor, failureAction } from "../engine/access.ts";
import { ProtocolError } from "../engine/netstring.ts";
import { type PolicyRequest, parsePolicyRequest } from "../engine/policy-request.ts";
import type { ReplyPolicy } from "../engine/verdict.ts";
import type { Lookup } from "../store/lookup.ts";
import type { Log } from "../store/store.ts";
import type { Audit } from "./audit.ts";
import type { RecipientCheck } from "./recipient-check.ts";

export interface PolicyResponderOptions {
  readonly check: RecipientCheck;
  readonly texts: AccessTexts;
  readonly policy: ReplyPolicy;
  /** null: nobody wants to be told of each answer. */
  readonly audit: Audit | null;
  readonly log: Log;
}

/** Made anew with each configuration, shared by all connections. */
export class PolicyResponder {
  readonly #options: PolicyResponderOptions;

  constructor(options: PolicyResponderOptions) {
    this.#options = options;
  }

  /** The reply to a request's lines. Never throws, never rejects. @param client who asks, for the audit */
  respond(lines: string, lookup: Lookup, client: string): string | Promise<string> {
    try {
      const request = parsePolicyRequest(lines);
      return request.recipient === "" ? reply("DUNNO") : this.#check(request, lookup, client);
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
    return reply(failureAction(texts));
  }

  async #check({ recipient, size }: PolicyRequest, lookup: Lookup, client: string): Promise<string> {
    const { check, texts, policy, audit } = this.#options;
    const outcome = await check.judge(recipient, size, lookup);
    audit?.tell(outcome, recipient, client);
    if (outcome === "failed" || outcome === "timeout") return reply(failureAction(texts));
    return reply(actionFor(outcome, texts, policy));
  }
}

function reply(action: string): string {
  return `action=${action}\n\n`;
}
