/**
 * When "Mailbox does not exist" is a fact. A frontend of a murder passes GETQUOTAROOT on to the backend that holds the
 * mailbox, and what it gets back also means that the mailbox has just been moved, or that the account is no
 * administrator there. GETACL is answered by the frontend itself, so both have to say it. (LIST would do as well, but
 * Cyrus goes through its whole list for a single name, and a pattern cannot hold every name.)
 */
import { StoreError } from "../../src/store/store.ts";
import { isShown, type KnownMailboxes } from "./known-mailboxes.ts";
import type { Session } from "./session.ts";

/**
 * Resolves where it is a fact that a mailbox is absent. Rejects with StoreError where it is not.
 * @param isUnlisted whether the server said so of its own list of mailboxes, in answer to GETACL or MYRIGHTS
 */
export async function confirmAbsence(
  session: Session,
  name: string,
  known: KnownMailboxes,
  isUnlisted: boolean,
): Promise<void> {
  if (session.absenceDoubt !== null) {
    throw new StoreError("denied", `imap: an absent mailbox is no fact: ${session.absenceDoubt}`);
  }
  // The name comes last: a frontend fetches its list anew while it serves, so what was said before the known mailboxes
  // were shown may have been said of an empty list.
  const wasAsked = await known.confirm(session, name);
  const isAskedAgain = wasAsked || !isUnlisted;
  // GETACL of a shared folder may be refused.
  const command = isUnlisted || !session.isAdministrator ? "MYRIGHTS" : "GETACL";
  if (isAskedAgain && (await isShown(session, name, command))) throw contradiction(session);
}

/** The server's list of mailboxes has a mailbox of which the server that holds it says that it does not exist. */
export class ContradictionError extends StoreError {}

/** Without the mailbox' name, so that the log shows a fault of the murder once and not for each user. */
export function contradiction({ server: { host, login } }: Session): ContradictionError {
  return new ContradictionError(
    "denied",
    `imap: ${host} lists a mailbox of which the server that holds it says that it does not exist: either it is being ` +
      `moved, or ${login.userid ?? login.user} is missing from admins in the imapd.conf of that backend`,
  );
}
