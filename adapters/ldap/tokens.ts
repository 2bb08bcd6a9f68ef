/** Values of the tokens of filters and bases in a look-up. */
import type { MailboxId } from "../../src/store/store.ts";
import type { RecipientOptions } from "./options.ts";
import type { TokenValues } from "./template.ts";

/** Values by the letters of the tokens; %u and %U have no value for a shared folder, %f has none for a user. */
export function tokensOf(mailbox: MailboxId, options: RecipientOptions): TokenValues {
  const at = mailbox.address.lastIndexOf("@");
  const domain = mailbox.address.slice(at + 1);
  const inForce = at < 0 || domain === "" ? options.defaultDomain : domain;
  const values = new Map<string, readonly [string, ...string[]]>([
    ["d", [inForce]],
    ["R", [`@${inForce}`]],
  ]);
  for (const [i, label] of inForce.split(".").reverse().slice(0, 9).entries()) values.set(`${i + 1}`, [label]);
  if (mailbox.kind === "user") {
    values.set("U", [mailbox.user]);
    values.set("u", userSpellings(mailbox.user, mailbox.domain, inForce));
  } else {
    values.set("f", pathSpellings(mailbox.folders, options.separator));
  }
  return values;
}

/**
 * The user id as in Cyrus; if it has no domain, the address as well. A local part that contains an "@" is only used
 * with its domain, because otherwise it would match the address of another user.
 */
function userSpellings(user: string, domain: string | null, inForce: string): [string, ...string[]] {
  if (domain !== null) return [`${user}@${domain}`];
  const address = `${user}@${inForce}`;
  return user.includes("@") ? [address] : [user, address];
}

/** The path as written; within a level, Cyrus treats "." and "^" as equal unless "." separates levels. */
function pathSpellings(folders: readonly string[], separator: "/" | "."): [string, ...string[]] {
  const path = folders.join(separator);
  if (separator === ".") return [path];
  const [first = path, ...others] = new Set([path, path.replaceAll("^", "."), path.replaceAll(".", "^")]);
  return [first, ...others];
}
