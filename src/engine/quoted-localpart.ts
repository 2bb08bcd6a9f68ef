/**
 * The same address without the quotes of its local part, `"o b"@dom.test` as `o b@dom.test`; null if the local part is
 * not a quoted string (RFC 5321 section 4.1.2: the two forms are equivalent).
 * @param key byte string
 */
export function unquoted(key: string): string | null {
  const match = /^"((?:[^"\\]|\\[\s\S])*)"(@[^@]*)?$/.exec(key);
  if (match === null) return null;
  const [, content = "", domain = ""] = match;
  return content.replaceAll(/\\([\s\S])/g, "$1") + domain;
}
