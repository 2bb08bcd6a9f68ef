/**
 * The payload of a socketmap request, "MAP KEY" (Cyrus imap/smmapd.c, Postfix socketmap_table(5)).
 * The payload ends at its first NUL, as a C string does in the original.
 */

export interface Request {
  /** Any octets, possibly none. The original ignores the map. */
  readonly map: string;
  /** Everything after the first space, not trimmed: a byte string, one character per octet. */
  readonly key: string;
}

/** null: the payload has no space, so no key. */
export function parseRequest(payload: string): Request | null {
  const nul = payload.indexOf("\0");
  const text = nul < 0 ? payload : payload.slice(0, nul);
  const space = text.indexOf(" ");
  return space < 0 ? null : { map: text.slice(0, space), key: text.slice(space + 1) };
}
