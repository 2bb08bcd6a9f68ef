/** What may be believed of facts that are a moment old. Strict where the decision (src/engine/verdict.ts) may refuse. */
import type { MailboxFacts, MailboxId, MailboxPresent } from "../../src/store/store.ts";

/**
 * Whether mail of no particular size is certainly taken by these facts, whoever decides. Facts of a moment ago are good
 * enough for that; all others may have been changed before the mail was sent.
 */
export function isInvitation(mailbox: MailboxId, facts: MailboxFacts): boolean {
  return isOpen(mailbox, facts) && facts.quotas.every(({ used, limit }) => used < limit);
}

/** Whether the mailbox is there and may be posted to. */
export function isOpen(mailbox: MailboxId, facts: MailboxFacts): facts is MailboxPresent {
  return facts.exists && (facts.rights === null ? mailbox.kind === "user" : facts.rights.includes("p"));
}
