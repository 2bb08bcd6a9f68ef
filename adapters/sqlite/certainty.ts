/** Which facts that are a moment old may be used. Stricter than the decision (src/engine/verdict.ts), which may refuse. */
import { acceptsPosting } from "../../src/store/kit/index.ts";
import type { MailboxFacts, MailboxId } from "../../src/store/store.ts";

/**
 * True if these facts always yield `accept` for a message of unknown size. Only then may they be a moment old: others may
 * have been changed before the mail was sent.
 */
export function certainlyAccepts(mailbox: MailboxId, facts: MailboxFacts): boolean {
  return facts.exists && acceptsPosting(mailbox, facts) && facts.quotas.every(({ used, limit }) => used < limit);
}
