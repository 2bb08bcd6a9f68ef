/**
 * Interprets untagged responses: QUOTAROOT and QUOTA (RFC 9208), ACL and MYRIGHTS (RFC 4314), CAPABILITY, LIST,
 * NAMESPACE and METADATA. A missing or malformed response is an error, never "no quota" or "no rights".
 */
import { posterRights } from "../../src/store/kit/index.ts";
import { type QuotaUsage, StoreError } from "../../src/store/store.ts";
import type { Response, Value } from "./commands.ts";

/** Cyrus names a domain's own quota root NIL. */
export const DOMAIN_ROOT = "NIL";

/** Names of the quota roots of a mailbox, from exactly one QUOTAROOT response. */
export function quotaRoots(responses: readonly Response[], mailbox: string): readonly string[] {
  const [, ...roots] = onlyOne("QUOTAROOT", responses, mailbox);
  return roots.map((root) => (root === null ? DOMAIN_ROOT : text("QUOTAROOT", root)));
}

/** The supported limited resources of the given roots. Each root must have a response; other roots are ignored. */
export function quotaUsage(responses: readonly Response[], roots: readonly string[]): readonly QuotaUsage[] {
  const all = responses.filter(({ name }) => name === "QUOTA");
  return roots.flatMap((root) => {
    const lists = all.filter(({ values: [name] }) => (name ?? DOMAIN_ROOT) === root);
    if (lists.length === 0) throw notUnderstood("QUOTA", `no response for the root ${root}`);
    return lists.flatMap(({ values: [, list] }) => resources(root, list));
  });
}

/** Rights of an unknown sender. */
export function rightsInAcl(responses: readonly Response[], mailbox: string): string {
  const [, ...pairs] = onlyOne("ACL", responses, mailbox).map((value) => text("ACL", value));
  if (pairs.length % 2 !== 0) throw notUnderstood("ACL", "an identifier without rights");
  const acl: [string, string][] = [];
  for (let i = 0; i < pairs.length; i += 2) acl.push([pairs[i] ?? "", pairs[i + 1] ?? ""]);
  return posterRights(acl);
}

/** Rights of the login. */
export function ownRights(responses: readonly Response[], mailbox: string): string {
  const [, rights, ...rest] = onlyOne("MYRIGHTS", responses, mailbox);
  if (rest.length > 0) throw notUnderstood("MYRIGHTS", "unexpected text after the rights");
  return text("MYRIGHTS", rights);
}

/** Names of capabilities in upper case, from at least one CAPABILITY response. */
export function capabilityNames(responses: readonly Response[]): readonly string[] {
  const found = responses.filter(({ name }) => name === "CAPABILITY");
  if (found.length === 0) throw notUnderstood("CAPABILITY", "no response before OK");
  return found.flatMap(({ values }) => values).map((value) => text("CAPABILITY", value).toUpperCase());
}

/** A name from LIST, and whether it is a mailbox or only a level of the hierarchy. */
export function listedName({ values }: Response): { readonly name: string; readonly exists: boolean } {
  // Only lists of extended data (RFC 5258) may follow the name; text would be a part of the name.
  const [flags, , name, ...extensions] = values;
  if (typeof name !== "string" || !Array.isArray(flags) || !extensions.every(Array.isArray)) {
    throw new StoreError("invalid-data", "imap: the server's LIST response is not understood");
  }
  return { name, exists: !flags.some((flag) => /^\\(?:NonExistent|Noselect)$/i.test(String(flag))) };
}

/** The hierarchy separator, from the response to LIST "" "". */
export function hierarchySeparator(responses: readonly Response[]): "/" | "." {
  const [, separator] = responses.find(({ name }) => name === "LIST")?.values ?? [];
  if (separator !== "/" && separator !== ".") throw notUnderstood("LIST", `the hierarchy separator ${separator}`);
  return separator;
}

/** Prefix of the shared namespace (RFC 2342); null: there is none. */
export function sharedNamespace(responses: readonly Response[]): string | null {
  const [, , shared] = responses.find(({ name }) => name === "NAMESPACE")?.values ?? [];
  if (shared === null) return null;
  const [first] = listOf(shared);
  const [prefix] = listOf(first);
  if (typeof prefix === "string") return prefix;
  throw notUnderstood("NAMESPACE", "no list of shared namespaces");
}

/** Values of one entry by mailbox (RFC 5464); mailboxes where it is NIL are omitted. */
export function metadataValues(responses: readonly Response[], entry: string): ReadonlyMap<string, string> {
  const values = new Map<string, string>();
  for (const {
    values: [mailbox, list],
  } of responses) {
    const [name, value] = listOf(list);
    if (name !== entry) throw notUnderstood("METADATA", "an entry that was not requested");
    if (value !== null) values.set(text("METADATA", mailbox), text("METADATA", value));
  }
  return values;
}

/** RFC 9208 section 5.1: a list of resource, usage and limit. Unsupported resources are ignored. */
function resources(root: string, list: Value | undefined): QuotaUsage[] {
  const items = Array.isArray(list) ? listOf(list) : null;
  if (items === null || items.length % 3 !== 0)
    throw notUnderstood("QUOTA", "the length of the list is not a multiple of 3");
  const quotas: QuotaUsage[] = [];
  for (let i = 0; i < items.length; i += 3) {
    const resource = text("QUOTA", items[i]).toUpperCase();
    if (resource !== "STORAGE" && resource !== "MESSAGE") continue;
    const unit = resource === "STORAGE" ? 1024 : 1;
    const used = count(items[i + 1]) * unit;
    if (!Number.isSafeInteger(used)) throw notUnderstood("QUOTA", `a usage of ${used} octets`);
    // A limit beyond 2^53 octets is reduced to that, without any effect.
    const limit = Math.min(count(items[i + 2]) * unit, Number.MAX_SAFE_INTEGER);
    quotas.push({ root, resource, used, limit });
  }
  return quotas;
}

function count(value: Value | undefined): number {
  const digits = text("QUOTA", value);
  if (!/^[0-9]{1,20}$/.test(digits)) throw notUnderstood("QUOTA", `the number ${digits}`);
  return Number(digits);
}

/** The only response with a name; it must repeat the mailbox's name as requested. */
function onlyOne(name: string, responses: readonly Response[], mailbox: string): readonly Value[] {
  const [response, ...others] = responses.filter((each) => each.name === name);
  if (response === undefined) throw notUnderstood(name, "no response before OK");
  if (others.length > 0) throw notUnderstood(name, "more than one response");
  if (response.values[0] !== mailbox) throw notUnderstood(name, "a response about another mailbox");
  return response.values;
}

function listOf(value: Value | undefined): readonly Value[] {
  return typeof value === "object" && value !== null ? value : [];
}

function text(name: string, value: Value | undefined): string {
  if (typeof value === "string") return value;
  throw notUnderstood(name, "a list or nothing in place of text");
}

function notUnderstood(name: string, what: string): StoreError {
  return new StoreError("invalid-data", `imap: the server's ${name} response is not understood: ${what}`);
}
