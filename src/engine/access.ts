/**
 * Verdicts as actions of Postfix' access(5). A recipient map can only state that a recipient exists; an action also has a
 * code and a text for each refusal. A valid recipient is DUNNO and never OK, which would end the restrictions that follow
 * and could permit relaying. Failures are formatted by each protocol.
 */
import type { ReplyPolicy, Verdict } from "./verdict.ts";

/** Texts after the codes; printable US-ASCII. */
export interface AccessTexts {
  readonly absent: string;
  readonly denied: string;
  readonly overQuota: string;
  readonly failed: string;
}

/** The action for a verdict. Enhanced status codes are those of RFC 3463. */
export function actionFor(verdict: Verdict, texts: AccessTexts, policy: ReplyPolicy): string {
  switch (verdict) {
    case "accept":
      return "DUNNO";
    case "absent":
      return `550 5.1.1 ${texts.absent}`;
    case "denied":
      return `550 5.7.1 ${texts.denied}`;
    case "over-quota":
      return policy.overQuotaIsPermanent ? `552 5.2.2 ${texts.overQuota}` : `452 4.2.2 ${texts.overQuota}`;
  }
}

/** The action of policy delegation for a failed look-up: later restrictions may still reject, but none may accept. */
export function failureAction(texts: AccessTexts): string {
  return `DEFER_IF_PERMIT 4.3.0 ${texts.failed}`;
}
