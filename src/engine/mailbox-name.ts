/**
 * Mailbox names as in Cyrus' mailboxes.db: "domain!user.name.folder", levels separated by ".", a dot within a level
 * written as "^", levels in the modified UTF-7 of RFC 3501 section 5.1.3 (Cyrus lib/mboxname.c, lib/charset.c).
 */
import type { MailboxId } from "./mailbox.ts";

const base64Alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,";

/** Encodes a text as modified UTF-7: printable US-ASCII is unchanged, "&" is "&-", the rest is base64 of its UTF-16. */
export function encodeModifiedUtf7(text: string): string {
  if (/^[\x20-\x25\x27-\x7e]*$/.test(text)) return text;
  return text.replace(/&|[^\x20-\x7e]+/g, (run) => (run === "&" ? "&-" : `&${encodeBase64Utf16(run)}-`));
}

function encodeBase64Utf16(text: string): string {
  let out = "";
  let bits = 0;
  let width = 0;
  for (let i = 0; i < text.length; i++) {
    bits = (bits << 16) | text.charCodeAt(i);
    width += 16;
    while (width >= 6) {
      width -= 6;
      out += base64Alphabet[(bits >> width) & 63];
    }
    bits &= (1 << width) - 1;
  }
  return width > 0 ? out + base64Alphabet[(bits << (6 - width)) & 63] : out;
}

/** Decodes modified UTF-7. Parts that are not valid are returned unchanged. */
export function decodeModifiedUtf7(text: string): string {
  return text.replaceAll(/&([^-]*)-/g, (run, base64: string) => {
    if (base64 === "") return "&";
    const octets = Buffer.from(base64.replaceAll(",", "/"), "base64");
    return octets.length % 2 === 0 ? octets.swap16().toString("utf16le") : run;
  });
}

/** Cyrus' internal name of a mailbox, such as "dom.test!user.fred.Lists"; the SQL parameter :mailbox. */
export function internalName(mailbox: MailboxId): string {
  const root = mailbox.domain === null ? "" : `${mailbox.domain}!`;
  const owner = mailbox.kind === "user" ? [escapeDots(mailbox.user)] : [];
  const levels = mailbox.folders.map((level) => escapeDots(encodeModifiedUtf7(level)));
  return root + [...(mailbox.kind === "user" ? ["user"] : []), ...owner, ...levels].join(".");
}

function escapeDots(level: string): string {
  return level.includes(".") ? level.replaceAll(".", "^") : level;
}
