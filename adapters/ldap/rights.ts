/**
 * Parses rights to a shared folder as stored in directories: "lrsp", "anyone lrsp", "anyone, post". Only the rights of
 * an unknown poster count: those of anyone and anonymous, less those of "-anyone" and "-anonymous" (RFC 4314 section
 * 2).
 */
import { posterRights } from "../../src/store/kit/index.ts";

/** Words for rights in Kolab, Univention and Cyrus' cyradm. */
const words: Readonly<Record<string, string>> = {
  none: "",
  read: "lrs",
  post: "lrsp",
  append: "lrsip",
  write: "lrswipkxte",
  all: "lrswipkxtecda",
};

/** The letters of RFC 4314 and RFC 5257, and Cyrus' own digits. */
const lettersOnly = /^[lrswipkxteacdn0-9]*$/;

/** The rights of an unknown poster, or the problem of a malformed value for anyone or anonymous. */
export function rightsFrom(values: readonly string[]): { readonly rights: string } | { readonly problem: string } {
  const acl: [string, string][] = [];
  for (const value of values) {
    const parts = value.trim().split(/[\s,]+/);
    const [identifier = "", rights = ""] = parts.length === 1 ? ["anyone", ...parts] : parts;
    if (!/^-?(?:anyone|anonymous)$/i.test(identifier)) continue;
    const letters = Object.hasOwn(words, rights.toLowerCase()) ? words[rights.toLowerCase()] : rights;
    if (parts.length > 2 || letters === undefined || !lettersOnly.test(letters)) {
      return { problem: `"${value}" is not a valid rights value` };
    }
    acl.push([identifier.toLowerCase(), letters]);
  }
  return { rights: posterRights(acl) };
}
