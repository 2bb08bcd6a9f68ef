/**
 * Mailbox names as an administrator writes them to Cyrus over IMAP: "user/fred/Lists@dom.test". How they follow from
 * Cyrus' internal names is Cyrus' lib/mboxname.c; the domain stands at the very end.
 */
import { encodeModifiedUtf7, type MailboxId } from "../../src/store/store.ts";

/** How a session names mailboxes. */
export interface Naming {
  readonly separator: "/" | ".";
  /** What shared folders begin with: "" for an administrator, perhaps "Shared Folders/" for others; in modified UTF-7. */
  readonly sharedPrefix: string;
  /** The domain whose mailboxes have no domain in their names; null: no name has one. */
  readonly defaultDomain: string | null;
}

/**
 * The name of a mailbox in Unicode, folders in modified UTF-7; null where no mailbox can have the name that its address
 * stands for, although a similar name may be somebody else's.
 */
export function mailboxName(mailbox: MailboxId, naming: Naming): string | null {
  const { separator, sharedPrefix, defaultDomain } = naming;
  const folders = mailbox.folders.map(encodeModifiedUtf7);
  const levels = mailbox.kind === "user" ? ["user", mailbox.user, ...folders] : folders;
  const written = levels.map((level) => writeLevel(level, separator));
  if (written.includes(null)) return null;
  // The administrator's own, which no address stands for.
  if (mailbox.kind === "shared" && sharedPrefix === "" && /^inbox$/i.test(written[0] ?? "")) return null;
  const path = written.join(separator);
  const name = mailbox.kind === "shared" ? sharedPrefix + path : path;
  const domain = mailbox.domain ?? (name.includes("@") ? defaultDomain : null);
  // "!" ends a domain in Cyrus' internal names, so with it a name reaches the mailboxes of another one.
  if (name.includes("!") || domain?.includes("!") || name.includes("\0") || domain?.includes("\0")) return null;
  return domain === null ? name : `${name}@${domain}`;
}

/** One level; "." and "^" within it are the same to Cyrus, and which is written depends on the separator. */
function writeLevel(level: string, separator: Naming["separator"]): string | null {
  if (separator === ".") return level.replaceAll(".", "^");
  return level.includes("/") ? null : level.replaceAll("^", ".");
}
