/**
 * The decision: maps facts to a verdict, and a verdict to a reply. No other file of the program chooses a status.
 * The order of the rules is that of the original (Cyrus imap/smmapd.c verify_user, imap/quota_db.c).
 */
import type { MailboxFacts, MailboxId, MailboxPresent, QuotaUsage } from "./mailbox.ts";
import { internalName } from "./mailbox-name.ts";
import type { Unaddressable } from "./recipient.ts";
import { acceptsPosting } from "./rights.ts";

export type Verdict = "accept" | "absent" | "denied" | "over-quota";

/** Why there is no verdict: the look-up failed, or took too long. */
export type Failure = "failed" | "timeout";

export interface ReplyPolicy {
  /** lmtp_over_quota_perm_failure: over quota is a permanent failure. */
  readonly overQuotaIsPermanent: boolean;
  /** smmap_on_failure: mail is accepted if the look-up fails. */
  readonly failureIsAccepted: boolean;
}

/** The replies. The recipes for Exim and sendmail match "Over quota". */
const texts = {
  absent: "NOTFOUND Mailbox does not exist",
  denied: "PERM Permission denied",
  overQuota: "TEMP Over quota",
  overQuotaPermanent: "PERM Over quota",
  failed: "TEMP Mailbox look-up failed, try again later",
  timeout: "TIMEOUT Mailbox look-up took too long, try again later",
} as const;

/** @param size octets of the message; 0: unknown, so it fits into every mailbox that is not over its limit */
export function decide(mailbox: MailboxId, facts: MailboxFacts, size = 0): Verdict {
  if (!facts.exists) return "absent";
  if (!acceptsPosting(mailbox, facts)) return facts.rights?.includes("l") ? "denied" : "absent";
  return facts.quotas.some((quota) => isExceeded(quota, size)) ? "over-quota" : "accept";
}

/** The outcome of a failed look-up. */
export function decideWithoutFacts(failure: Failure, policy: ReplyPolicy): Verdict | Failure {
  return policy.failureIsAccepted ? "accept" : failure;
}

/** STORAGE may reach its limit; MESSAGE must have room for one more (RFC 9208 section 3.1, Cyrus' quota check). */
export function isExceeded(quota: QuotaUsage, size = 0): boolean {
  const delta = quota.resource === "MESSAGE" ? 1 : size;
  return quota.used + delta > quota.limit;
}

/** The value after OK with smmap_reply_value: mailbox: Cyrus' name of the mailbox that was found, as a byte string. */
export function nameAsValue(mailbox: MailboxId, facts: MailboxPresent): string {
  return Buffer.from(internalName(facts.mailbox ?? mailbox)).toString("latin1");
}

/**
 * The reply to a request, as a byte string without its netstring.
 * @param value of OK, never empty, because Postfix reports an empty value as an error: the key, or the mailbox' name
 */
export function replyTo(outcome: Verdict | Failure, value: string, policy: ReplyPolicy): string {
  switch (outcome) {
    case "accept":
      return `OK ${value}`;
    case "absent":
      return texts.absent;
    case "denied":
      return texts.denied;
    case "over-quota":
      return policy.overQuotaIsPermanent ? texts.overQuotaPermanent : texts.overQuota;
    case "failed":
      return texts.failed;
    case "timeout":
      return texts.timeout;
  }
}

/** The first word of a reply or of an action. */
export function statusOf(reply: string): string {
  const space = reply.indexOf(" ");
  return space < 0 ? reply : reply.slice(0, space);
}

/** @param fault in the original's words: "missing key", "missing length", … */
export function replyToBadProtocol(fault: string): string {
  return `PERM Bad protocol (${fault})`;
}

/** The reason of a verdict as a sentence (`smmapd check -v`). */
export function explain(mailbox: MailboxId | Unaddressable, facts: MailboxFacts | null): string {
  if (mailbox.kind === "none") return `no mailbox can have this address: ${mailbox.reason}`;
  if (facts === null || !facts.exists) return "the store says that there is no such mailbox";
  if (facts.rights === null && mailbox.kind === "shared") return "a shared folder without rights counts as absent";
  if (!acceptsPosting(mailbox, facts)) {
    return facts.rights?.includes("l")
      ? "the folder may be seen (l) but not posted to (p)"
      : "the folder may be neither seen (l) nor posted to (p), so it counts as absent";
  }
  const exceeded = facts.quotas.find((quota) => isExceeded(quota));
  if (exceeded === undefined) return "the mailbox exists, may be posted to and is within its quota";
  const { root, resource, used, limit } = exceeded;
  return resource === "MESSAGE"
    ? `quota root ${root}: ${used} messages and one more are over the limit of ${limit}`
    : `quota root ${root}: ${used} octets are over the limit of ${limit}`;
}
