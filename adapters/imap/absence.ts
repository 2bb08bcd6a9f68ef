/**
 * Confirms "Mailbox does not exist". A frontend of a murder proxies GETQUOTAROOT to the backend of the mailbox, whose
 * "Mailbox does not exist" can also mean that the mailbox has just been moved, or that the account is not an
 * administrator there. The frontend answers GETACL itself, so an absence requires that answer to both commands. (LIST
 * would serve as well, but Cyrus scans its whole list for a single name, and not every name can be written as a
 * pattern.)
 */
import { StoreError } from "../../src/store/store.ts";
import { isListed, type KnownMailboxes } from "./known-mailboxes.ts";
import type { Session } from "./session.ts";

/**
 * Resolves if the mailbox is certainly absent; rejects with StoreError if that cannot be confirmed.
 * @param isUnlisted true: the absence was read from the server's own list of mailboxes, by GETACL or MYRIGHTS
 */
export async function confirmAbsence(
  session: Session,
  name: string,
  known: KnownMailboxes,
  isUnlisted: boolean,
): Promise<void> {
  if (session.absenceProblem !== null) {
    throw new StoreError("denied", `imap: absence cannot be confirmed: ${session.absenceProblem}`);
  }
  // The name is checked after the known mailboxes: a frontend reloads its list while it serves, so an earlier answer
  // may have been read from an empty list.
  const wasChecked = await known.confirm(session, name);
  const needsRecheck = wasChecked || !isUnlisted;
  // GETACL of a shared folder may be refused.
  const command = isUnlisted || !session.isAdministrator ? "MYRIGHTS" : "GETACL";
  if (needsRecheck && (await isListed(session, name, command))) throw contradiction(session);
}

/** The server's list contains a mailbox that its backend reports as nonexistent. */
export class ContradictionError extends StoreError {}

/** The message omits the mailbox's name, so that a fault of the murder is logged once and not for each user. */
export function contradiction({ server: { host, login } }: Session): ContradictionError {
  return new ContradictionError(
    "denied",
    `imap: ${host} lists a mailbox that its backend reports as nonexistent: either it is being moved, or ` +
      `${login.userid ?? login.user} is missing from admins in the imapd.conf of that backend`,
  );
}
