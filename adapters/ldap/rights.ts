/**
 * Rights to a shared folder as directories file them: "lrsp", "anyone lrsp", "anyone, post". Only what an unknown
 * poster holds counts: anyone and anonymous, less what the same with a leading "-" take away (RFC 4314 section 2).
 */
import { posterRights } from "../../src/store/kit/index.ts";

/** Words of Kolab and Univention, and of Cyrus' cyradm. */
const words: Readonly<Record<string, string>> = {
  none: "",
  read: "lrs",
  post: "lrsp",
  append: "lrsip",
  write: "lrswipkxte",
  all: "lrswipkxtecda",
};

/** Those of RFC 4314, of RFC 5257, and Cyrus' own digits. */
const lettersOnly = /^[lrswipkxteacdn0-9]*$/;

/** The letters that an unknown poster holds. A value that concerns him and is none: what is wrong with it. */
export function rightsFrom(values: readonly string[]): { readonly rights: string } | { readonly problem: string } {
  const acl: [string, string][] = [];
  for (const value of values) {
    const parts = value.trim().split(/[\s,]+/);
    const [identifier = "", rights = ""] = parts.length === 1 ? ["anyone", ...parts] : parts;
    if (!/^-?(?:anyone|anonymous)$/i.test(identifier)) continue;
    const letters = Object.hasOwn(words, rights.toLowerCase()) ? words[rights.toLowerCase()] : rights;
    if (parts.length > 2 || letters === undefined || !lettersOnly.test(letters)) {
      return { problem: `"${value}" gives no rights` };
    }
    acl.push([identifier.toLowerCase(), letters]);
  }
  return { rights: posterRights(acl) };
}
