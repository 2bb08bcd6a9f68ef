/**
 * The payload of a socketmap request, "MAP KEY" (Cyrus imap/smmapd.c, Postfix socketmap_table(5)).
 * Everything from the first NUL on is cut, as the original's C strings do.
 */

export interface Request {
  /** Any bytes, perhaps none. The original ignores it. */
  readonly map: string;
  /** What follows the first space, never trimmed: a byte string, one character per octet. */
  readonly key: string;
}

/** null: there is no space, so no key. */
export function parseRequest(payload: string): Request | null {
  const nul = payload.indexOf("\0");
  const text = nul < 0 ? payload : payload.slice(0, nul);
  const space = text.indexOf(" ");
  return space < 0 ? null : { map: text.slice(0, space), key: text.slice(space + 1) };
}
