/** Converts an entry of the directory to facts about a mailbox. */
import { ThrottledLog } from "../../src/store/kit/index.ts";
import {
  type Log,
  type MailboxAbsent,
  type MailboxFacts,
  type MailboxId,
  type QuotaUsage,
  StoreError,
} from "../../src/store/store.ts";
import type { Entry } from "./entry.ts";
import type { RecipientOptions, StatusMeaning } from "./options.ts";
import { parseCount, parseOctets } from "./quota.ts";
import { rightsFrom } from "./rights.ts";

export const ABSENT: MailboxAbsent = { exists: false };

/** Names of the attributes to request for a mailbox, each once. */
export function attributesFor(mailbox: MailboxId, isShared: boolean, options: RecipientOptions): string[] {
  const { storage, messages, status, nameAttribute, aclAttribute, folderAttribute } = options;
  const names = new Set<string | null | undefined>([status?.attribute]);
  for (const { limit, usage } of [storage, messages].filter((quota) => quota !== null)) {
    names.add(limit).add(usage).add(nameAttribute);
  }
  if (isShared) names.add(aclAttribute);
  if (mailbox.kind === "user" && mailbox.folders.length > 0) names.add(folderAttribute);
  return [...names].filter((name) => typeof name === "string");
}

export class RecipientReader {
  readonly #options: RecipientOptions;
  readonly #warnings: ThrottledLog;

  constructor(options: RecipientOptions, log: Log) {
    this.#options = options;
    this.#warnings = new ThrottledLog(log, { interval: Number.POSITIVE_INFINITY });
  }

  /** @throws StoreError: "invalid-data" if an attribute is malformed, "denied" if the status is temporary */
  facts(mailbox: MailboxId, entry: Entry, isShared: boolean): MailboxFacts {
    const status = this.#status(entry);
    if (status === "temp")
      throw new StoreError("denied", `ldap: ${entry.dn}: mail is temporarily refused by its status`);
    if (status === "notfound" || !this.#hasFolder(mailbox, entry)) return ABSENT;
    return { exists: true, rights: isShared ? this.#rights(entry) : null, quotas: this.#quotas(entry) };
  }

  /** "ok" for an entry without a status. */
  #status(entry: Entry): StatusMeaning {
    const { status } = this.#options;
    if (status === null) return "ok";
    const meanings = new Set(
      entry.values(status.attribute).map((value) => {
        const meaning = status.meanings.get(value?.toLowerCase() ?? "");
        if (meaning === undefined) throw invalid(entry, status.attribute, `"${value}" is not a listed status value`);
        return meaning;
      }),
    );
    if (meanings.size > 1) throw invalid(entry, status.attribute, "has contradictory values");
    const [meaning = "ok"] = meanings;
    return meaning;
  }

  #hasFolder(mailbox: MailboxId, entry: Entry): boolean {
    const { folderAttribute, separator } = this.#options;
    if (folderAttribute === null || mailbox.kind === "shared" || mailbox.folders.length === 0) return true;
    const requested = canonicalPath(mailbox.folders.join(separator), separator);
    const paths = entry.values(folderAttribute);
    if (paths.some((path) => path !== null && canonicalPath(path, separator) === requested)) return true;
    if (paths.includes(null))
      throw invalid(entry, folderAttribute, "is not UTF-8, so it may or may not be this folder");
    return false;
  }

  #rights(entry: Entry): string | null {
    const { aclAttribute } = this.#options;
    if (aclAttribute === null) return null;
    const values = entry.values(aclAttribute).map((value) => {
      if (value === null) throw invalid(entry, aclAttribute, "is not UTF-8");
      return value;
    });
    const found = rightsFrom(values);
    if ("problem" in found) throw invalid(entry, aclAttribute, found.problem);
    return found.rights;
  }

  #quotas(entry: Entry): QuotaUsage[] {
    const { storage, messages, nameAttribute } = this.#options;
    const root = (nameAttribute === null ? null : entry.values(nameAttribute)[0]) ?? entry.dn;
    const quotas: QuotaUsage[] = [];
    if (storage !== null) {
      const octets = (text: string) => parseOctets(text, storage.unit);
      const found = this.#quota(entry, storage, octets);
      if (found !== null) quotas.push({ root, resource: "STORAGE", ...found });
    }
    if (messages !== null) {
      const found = this.#quota(entry, messages, parseCount);
      if (found !== null) quotas.push({ root, resource: "MESSAGE", ...found });
    }
    return quotas;
  }

  /** null if there is no limit. */
  #quota(
    entry: Entry,
    attributes: { readonly limit: string; readonly usage: string },
    parse: (text: string) => number | null,
  ): Pick<QuotaUsage, "used" | "limit"> | null {
    const limit = this.#number(entry, attributes.limit, parse);
    if (limit === null || limit < 0 || (limit === 0 && this.#options.zeroIsUnlimited)) return null;
    // The usage attribute is missing before the first message.
    const used = this.#number(entry, attributes.usage, parse) ?? 0;
    if (used < 0) throw invalid(entry, attributes.usage, "is negative");
    return { used, limit };
  }

  /** null if the entry does not have the attribute. */
  #number(entry: Entry, attribute: string, parse: (text: string) => number | null): number | null {
    const values = entry.values(attribute);
    const [text] = values;
    if (text === undefined) return null;
    if (values.length > 1) this.#warnings.once(`ldap: ${entry.dn}: ${attribute} has several values, the first is used`);
    const number = text === null ? null : parse(text);
    if (number === null) throw invalid(entry, attribute, `"${text}" is not a number`);
    return number;
  }
}

/** Removes empty levels and unifies the spellings that Cyrus treats as equal. */
function canonicalPath(path: string, separator: "/" | "."): string {
  const levels = path.split(separator).filter((level) => level !== "");
  return levels.map((level) => (separator === "/" ? level.replaceAll("^", ".") : level)).join(separator);
}

function invalid(entry: Entry, attribute: string, problem: string): StoreError {
  return new StoreError("invalid-data", `ldap: ${entry.dn}: ${attribute} ${problem}`);
}
