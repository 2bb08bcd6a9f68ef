/**
 * Finds the mailbox of a request's key, by the rules of the original (Cyrus imap/smmapd.c, lib/mboxname.c) as established
 * by experiment. docs/differences.md lists the differences with their reasons.
 */
import type { MailboxId } from "./mailbox.ts";

/** The addressing options of imapd.conf. */
export interface RecipientRules {
  /** virtdomains is on or userid: the domain is significant. */
  readonly virtualDomains: boolean;
  /** defaultdomain: the domain whose user ids have no domain. */
  readonly defaultDomain: string;
  /** Separator of levels in a detail: "/" with unixhierarchysep, otherwise ".". */
  readonly separator: "/" | ".";
  /** lmtp_downcase_rcpt: local part and domain are folded to lower case; the detail is not. */
  readonly downcase: boolean;
  /** postuser: the user id that stands for the shared folders. */
  readonly postuser: string;
  /** Option -p, smmap_skip_plus: the detail is ignored. */
  readonly skipPlus: boolean;
}

/** An address that no mailbox can have; its verdict is `absent`. */
export interface Unaddressable {
  readonly kind: "none";
  /** The reason, for messages. */
  readonly reason: string;
}

/** An address split into its parts and folded, with the rule of the default domain applied. */
export interface Recipient {
  /** Before the first "+". */
  readonly localpart: string;
  /** RFC 5233 detail: after the first "+"; null without "+". */
  readonly detail: string | null;
  /** After the last "@", folded but otherwise as received; null without "@". */
  readonly domain: string | null;
  /** True if the user id has no domain: virtdomains is off, or the domain is the default domain. */
  readonly isDefaultDomain: boolean;
  /** Local part, and the domain unless it is the default domain. */
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

  /** The first step of `parse`: splits the address. */
  split(key: string): Recipient {
    const rules = this.rules;
    // Almost every key has neither capitals nor octets beyond ASCII, so one test avoids the work for them.
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

  /** The second step of `parse`: finds the mailbox of the address. */
  locate(recipient: Recipient): MailboxId | Unaddressable {
    const { localpart, detail, domain, isDefaultDomain, userid } = recipient;
    const { separator, postuser, virtualDomains } = this.rules;
    const address = domain === null ? localpart : `${localpart}@${domain}`;
    const folders = detail === null ? [] : detail.split(separator).filter((level) => level !== "");
    if (userid === postuser) {
      if (detail === null || folders.length === 0) return unaddressable("a shared address that names no folder");
      if (folders[0] === DELETED_ROOT) return unaddressable("deleted folders receive no mail");
      // In Cyrus' names "!" ends a domain, so the address would name a folder of another domain.
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

/** Decodes UTF-8; each ill-formed sequence becomes U+FFFD, as in WHATWG's decoder. */
function decodeUtf8(bytes: string): string {
  if (!/[\x80-\xff]/.test(bytes)) return bytes;
  return utf8.decode(Uint8Array.from(bytes, (char) => char.charCodeAt(0)));
}

/** Folds US-ASCII letters to lower case and nothing else: no locale, no change of length. */
function foldCase(text: string): string {
  return /[A-Z]/.test(text) ? text.replace(/[A-Z]+/g, (letters) => letters.toLowerCase()) : text;
}
