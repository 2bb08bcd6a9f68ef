/**
 * From the key of a request to the mailbox it is about, by the rules of the original (Cyrus imap/smmapd.c,
 * lib/mboxname.c) as established by experiment; where we depart from them, docs/differences.md says why.
 */
import type { MailboxId } from "./mailbox.ts";

/** The addressing options of imapd.conf. */
export interface RecipientRules {
  /** virtdomains is on or userid: the domain counts. */
  readonly virtualDomains: boolean;
  /** defaultdomain: the domain whose users are known by their bare name. */
  readonly defaultDomain: string;
  /** What separates levels in a detail: "/" with unixhierarchysep, else ".". */
  readonly separator: "/" | ".";
  /** lmtp_downcase_rcpt: local part and domain in lower case; never the detail. */
  readonly downcase: boolean;
  /** postuser: the user id that stands for the shared folders. */
  readonly postuser: string;
  /** Option -p, smmap_skip_plus: the detail counts for nothing. */
  readonly skipPlus: boolean;
}

/** An address that no mailbox can have; as good as a store's "absent". */
export interface Unaddressable {
  readonly kind: "none";
  /** Why, for people. */
  readonly reason: string;
}

/** An address taken apart and folded, the domain rule applied: what lies between the key and the mailbox. */
export interface Recipient {
  /** Before the first "+". */
  readonly localpart: string;
  /** RFC 5233 detail: after the first "+"; null without one. */
  readonly detail: string | null;
  /** After the last "@", as written but for its case; null without one. */
  readonly domain: string | null;
  /** Whether the domain is left out of the user id: virtdomains is off, or it is the default domain. */
  readonly isDefaultDomain: boolean;
  /** Local part, and the domain where it counts. */
  readonly userid: string;
}

const utf8 = new TextDecoder("utf-8", { ignoreBOM: true });
/** Where Cyrus keeps deleted mailboxes (imapd.conf deletedprefix). */
const DELETED_ROOT = "DELETED";

export class RecipientParser {
  readonly rules: RecipientRules;
  readonly #defaultDomain: string;

  constructor(rules: RecipientRules) {
    this.rules = rules;
    this.#defaultDomain = rules.downcase ? foldCase(rules.defaultDomain) : rules.defaultDomain;
  }

  /** @param key byte string, one character per octet, as received */
  parse(key: string): MailboxId | Unaddressable {
    return this.locate(this.split(key));
  }

  /** The first half of `parse`: takes the address apart. */
  split(key: string): Recipient {
    const rules = this.rules;
    // Almost every key has neither capitals nor octets beyond ASCII: one look tells.
    const isPlain = !/[A-Z\x80-\xff]/.test(key);
    const text = isPlain ? key : decodeUtf8(key);
    const at = text.lastIndexOf("@");
    let localpart = at < 0 ? text : text.slice(0, at);
    let domain = at < 0 ? null : text.slice(at + 1);
    const plus = localpart.indexOf("+");
    const detail = plus < 0 || rules.skipPlus ? null : localpart.slice(plus + 1);
    if (plus >= 0) localpart = localpart.slice(0, plus);
    if (rules.downcase && !isPlain) {
      localpart = foldCase(localpart);
      if (domain !== null) domain = foldCase(domain);
    }
    const isDefaultDomain = domain === null || !rules.virtualDomains || domain === this.#defaultDomain;
    return {
      localpart,
      detail,
      domain,
      isDefaultDomain,
      userid: isDefaultDomain ? localpart : `${localpart}@${domain}`,
    };
  }

  /** The second half of `parse`: finds the mailbox that the address stands for. */
  locate(recipient: Recipient): MailboxId | Unaddressable {
    const { localpart, detail, domain, isDefaultDomain, userid } = recipient;
    const { separator, postuser, virtualDomains } = this.rules;
    const address = domain === null ? localpart : `${localpart}@${domain}`;
    const folders = detail === null ? [] : detail.split(separator).filter((level) => level !== "");
    if (userid === postuser) {
      if (detail === null || folders.length === 0) return unaddressable("a shared address that names no folder");
      if (folders[0] === DELETED_ROOT) return unaddressable("deleted folders receive no mail");
      // In Cyrus' names "!" ends a domain, so it would reach the folders of another one.
      if (virtualDomains && detail.includes("!")) return unaddressable('"!" cannot lead to another domain');
      return { kind: "shared", domain: null, folders, address, detail };
    }
    if (localpart === "") return unaddressable("an empty local part that is not the postuser");
    if (!isDefaultDomain && domain === "") return unaddressable("an empty domain");
    return { kind: "user", user: localpart, domain: isDefaultDomain ? null : domain, folders, address, detail };
  }
}

function unaddressable(reason: string): Unaddressable {
  return { kind: "none", reason };
}

/** Bytes as Unicode; each ill-formed sequence becomes U+FFFD, as WHATWG's decoder does it. */
function decodeUtf8(bytes: string): string {
  if (!/[\x80-\xff]/.test(bytes)) return bytes;
  return utf8.decode(Uint8Array.from(bytes, (char) => char.charCodeAt(0)));
}

/** US-ASCII letters in lower case, all else untouched: no locale, no length change. */
function foldCase(text: string): string {
  return /[A-Z]/.test(text) ? text.replace(/[A-Z]+/g, (letters) => letters.toLowerCase()) : text;
}
