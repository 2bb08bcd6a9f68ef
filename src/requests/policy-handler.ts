/** Answers a request of Postfix' policy delegation with an action. */
import { type AccessTexts, actionFor, failureAction } from "../engine/access.ts";
import { ProtocolError } from "../engine/netstring.ts";
import { type PolicyRequest, parsePolicyRequest } from "../engine/policy-request.ts";
import { type ReplyPolicy, statusOf } from "../engine/verdict.ts";
import { policyMap, type Reason } from "../metrics/reply-counts.ts";
import { Tally } from "../metrics/tally.ts";
import type { Lookup } from "../store/lookup.ts";
import type { Log } from "../store/store.ts";
import type { AuditLog } from "./audit-log.ts";
import type { Judgement, RecipientJudge } from "./recipient-judge.ts";

export interface PolicyHandlerOptions {
  readonly judge: RecipientJudge;
  readonly texts: AccessTexts;
  readonly policy: ReplyPolicy;
  /** lmtp_strict_quota: a message that does not fit below the limit is over quota. */
  readonly countsSize: boolean;
  /** null: answers are not audited. */
  readonly audit: AuditLog | null;
  /** Left out: nothing is counted. */
  readonly tally?: Tally | undefined;
  readonly log: Log;
}

/** One per configuration, shared by all connections. */
export class PolicyHandler {
  readonly #options: PolicyHandlerOptions;
  readonly #tally: Tally;

  constructor(options: PolicyHandlerOptions) {
    this.#options = options;
    this.#tally = options.tally ?? new Tally();
  }

  /** The reply to the lines of a request. Never throws, never rejects. @param client address, for the audit log */
  respond(lines: string, lookup: Lookup, client: string): string | Promise<string> {
    const since = performance.now();
    try {
      const request = parsePolicyRequest(lines);
      if (request.recipient === "") return this.#reply("DUNNO", "none", "", since);
      const judgement = this.#judge(request, lookup);
      return judgement instanceof Promise
        ? this.#concludeLater(judgement, request, client, since)
        : this.#conclude(judgement, request, client, since);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      return this.refuse(error.message, client);
    }
  }

  /** The reply to an invalid request. It defers: an error in a client's configuration must not make mail bounce. */
  refuse(fault: string, client: string): string {
    const { audit, texts, log } = this.#options;
    audit?.writeFault(client);
    log.warning(`smmap_policy_listen: ${client} sent no request of Postfix' policy delegation: ${fault}`);
    return this.#reply(failureAction(texts), "protocol", "", performance.now());
  }

  #judge({ recipient, size }: PolicyRequest, lookup: Lookup): Judgement | Promise<Judgement> {
    const { judge, countsSize } = this.#options;
    return judge.judge(recipient, lookup, { size: countsSize ? size : 0, alsoUnquoted: true });
  }

  async #concludeLater(
    judgement: Promise<Judgement>,
    request: PolicyRequest,
    client: string,
    since: number,
  ): Promise<string> {
    this.#tally.inFlight++;
    try {
      return this.#conclude(await judgement, request, client, since);
    } finally {
      this.#tally.inFlight--;
    }
  }

  #conclude({ outcome, reason }: Judgement, { recipient }: PolicyRequest, client: string, since: number): string {
    const { texts, policy, audit } = this.#options;
    audit?.write(outcome, recipient, client);
    const isFailure = outcome === "failed" || outcome === "timeout";
    return this.#reply(isFailure ? failureAction(texts) : actionFor(outcome, texts, policy), reason, recipient, since);
  }

  #reply(action: string, reason: Reason, key: string, since: number): string {
    this.#tally.replied({ map: policyMap, key }, since, statusOf(action), reason);
    return `action=${action}\n\n`;
  }
}
