/** Which facts remain usable although they were read a moment ago. Stricter than the decision in src/engine/verdict.ts. */
import { acceptsPosting } from "../../src/store/kit/index.ts";
import type { MailboxFacts, MailboxId } from "../../src/store/store.ts";

/**
 * True if these facts always yield `accept` for a message of unknown size. Such facts may be slightly outdated: mail is
 * not lost by them. Any other facts have to be read after the request came.
 */
export function certainlyAccepts(mailbox: MailboxId, facts: MailboxFacts): boolean {
  return facts.exists && acceptsPosting(mailbox, facts) && facts.quotas.every(({ used, limit }) => used < limit);
}
