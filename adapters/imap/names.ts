/**
 * Mailbox names as an administrator writes them in IMAP commands: "user/fred/Lists@dom.test". Cyrus' lib/mboxname.c
 * defines how they are derived from internal names; the domain is at the end.
 */
import { encodeModifiedUtf7, type MailboxId } from "../../src/store/store.ts";

/** Rules for mailbox names of a session. */
export interface Naming {
  readonly separator: "/" | ".";
  /** Prefix of shared folders in modified UTF-7: "" for an administrator, such as "Shared Folders/" for others. */
  readonly sharedPrefix: string;
  /** The domain that is omitted from names; null: no name has a domain. */
  readonly defaultDomain: string | null;
}

/**
 * The name of a mailbox: the user in Unicode, folders in modified UTF-7. null: no mailbox can have the name for this
 * address; an approximate name could be that of another user.
 */
export function mailboxName(mailbox: MailboxId, naming: Naming): string | null {
  const { separator, sharedPrefix, defaultDomain } = naming;
  const folders = mailbox.folders.map(encodeModifiedUtf7);
  const levels = mailbox.kind === "user" ? ["user", mailbox.user, ...folders] : folders;
  const written = levels.map((level) => writeLevel(level, separator));
  if (written.includes(null)) return null;
  // INBOX is the administrator's own mailbox, which has no address.
  if (mailbox.kind === "shared" && sharedPrefix === "" && /^inbox$/i.test(written[0] ?? "")) return null;
  const path = written.join(separator);
  const name = mailbox.kind === "shared" ? sharedPrefix + path : path;
  const domain = mailbox.domain ?? (name.includes("@") ? defaultDomain : null);
  // "!" ends a domain in Cyrus' internal names, so a name with it could address a mailbox of another domain.
  if (name.includes("!") || domain?.includes("!") || name.includes("\0") || domain?.includes("\0")) return null;
  return domain === null ? name : `${name}@${domain}`;
}

/**
 * One level; Cyrus treats "." and "^" in it as the same character, and the separator determines which one is written.
 */
function writeLevel(level: string, separator: Naming["separator"]): string | null {
  if (separator === ".") return level.replaceAll(".", "^");
  return level.includes("/") ? null : level.replaceAll("^", ".");
}
