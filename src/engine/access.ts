/**
 * The verdict in the words of Postfix' access controls (access(5)), where recipient maps know of nothing but "exists":
 * over quota becomes a 452 or a 552 of its own. A good recipient is DUNNO and never OK, which would end the checks that
 * follow and could permit relaying. Failures have other words in each protocol.
 */
import type { ReplyPolicy, Verdict } from "./verdict.ts";

/** What people read after the codes; printable US-ASCII. */
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

/** Where there is no verdict, for policy delegation: later restrictions may still refuse for good, nothing may accept. */
export function failureAction(texts: AccessTexts): string {
  return `DEFER_IF_PERMIT 4.3.0 ${texts.failed}`;
}
