/** Rights to a mailbox: the letters of RFC 4314, of which "p" (post) decides. */
import type { MailboxId, MailboxPresent } from "./mailbox.ts";

/** Whether the facts allow posting: the right "p", or a user's own mailbox, where rights do not matter. */
export function acceptsPosting(mailbox: MailboxId, { rights }: Pick<MailboxPresent, "rights">): boolean {
  return rights === null ? mailbox.kind === "user" : rights.includes("p");
}

/**
 * The letters that an unknown poster holds by an access control list: those of "anyone" and "anonymous", less those that
 * "-anyone" and "-anonymous" take away (RFC 4314 section 2). Other identifiers are ignored.
 */
export function posterRights(acl: Iterable<readonly [identifier: string, rights: string]>): string {
  let given = "";
  let taken = "";
  for (const [identifier, rights] of acl) {
    if (identifier === "anyone" || identifier === "anonymous") given += rights;
    if (identifier === "-anyone" || identifier === "-anonymous") taken += rights;
  }
  return [...new Set(given)].filter((letter) => !taken.includes(letter)).join("");
}
