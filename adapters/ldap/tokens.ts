/** What the tokens of filters and bases stand for in a look-up. */
import type { MailboxId } from "../../src/store/store.ts";
import type { RecipientOptions } from "./options.ts";
import type { TokenValues } from "./template.ts";

/** By the letters of the tokens; for a shared folder %u and %U have no value, for a user %f has none. */
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
 * The user id as Cyrus has it; and where that leaves out the domain, the address as well. A local part with an "@" of
 * its own must not pass for somebody's address.
 */
function userSpellings(user: string, domain: string | null, inForce: string): [string, ...string[]] {
  if (domain !== null) return [`${user}@${domain}`];
  const address = `${user}@${inForce}`;
  return user.includes("@") ? [address] : [user, address];
}

/** The path as written; inside a level, "." and "^" are the same to Cyrus unless "." separates levels. */
function pathSpellings(folders: readonly string[], separator: "/" | "."): [string, ...string[]] {
  const path = folders.join(separator);
  if (separator === ".") return [path];
  const [first = path, ...others] = new Set([path, path.replaceAll("^", "."), path.replaceAll(".", "^")]);
  return [first, ...others];
}
