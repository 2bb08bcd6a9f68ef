/** Which facts remain usable although they were read a moment ago. Stricter than the decision in src/engine/verdict.ts. */
import type { MailboxFacts, MailboxId, MailboxPresent } from "../../src/store/store.ts";

/**
 * True if these facts always yield `accept` for a message of unknown size. Such facts may be slightly outdated: mail is
 * not lost by them. Any other facts have to be read after the request came.
 */
export function certainlyAccepts(mailbox: MailboxId, facts: MailboxFacts): boolean {
  return acceptsPosting(mailbox, facts) && facts.quotas.every(({ used, limit }) => used < limit);
}

/** True if the mailbox exists and may be posted to, whatever its quota. */
export function acceptsPosting(mailbox: MailboxId, facts: MailboxFacts): facts is MailboxPresent {
  return facts.exists && (facts.rights === null ? mailbox.kind === "user" : facts.rights.includes("p"));
}
