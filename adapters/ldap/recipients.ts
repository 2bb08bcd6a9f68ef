/** From an entry of the directory to facts about a mailbox. */
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

/** The attributes that tell about a mailbox, each once. */
export function attributesFor(mailbox: MailboxId, isShared: boolean, options: RecipientOptions): string[] {
  const { storage, messages, status, nameAttribute, aclAttribute, folderAttribute } = options;
  const wanted = new Set<string | null | undefined>([status?.attribute]);
  for (const { limit, usage } of [storage, messages].filter((quota) => quota !== null)) {
    wanted.add(limit).add(usage).add(nameAttribute);
  }
  if (isShared) wanted.add(aclAttribute);
  if (mailbox.kind === "user" && mailbox.folders.length > 0) wanted.add(folderAttribute);
  return [...wanted].filter((name) => typeof name === "string");
}

export class RecipientReader {
  readonly #options: RecipientOptions;
  readonly #warnings: ThrottledLog;

  constructor(options: RecipientOptions, log: Log) {
    this.#options = options;
    this.#warnings = new ThrottledLog(log, { interval: Number.POSITIVE_INFINITY });
  }

  /** @throws StoreError (invalid-data) where an attribute does not say what it has to say */
  facts(mailbox: MailboxId, entry: Entry, isShared: boolean): MailboxFacts {
    const status = this.#status(entry);
    if (status === "temp") throw new StoreError("denied", `ldap: ${entry.dn}: temporarily receives no mail`);
    if (status === "notfound" || !this.#hasFolder(mailbox, entry)) return ABSENT;
    return { exists: true, rights: isShared ? this.#rights(entry) : null, quotas: this.#quotas(entry) };
  }

  /** Without a status an entry is in use. */
  #status(entry: Entry): StatusMeaning {
    const { status } = this.#options;
    if (status === null) return "ok";
    const meanings = new Set(
      entry.values(status.attribute).map((value) => {
        const meaning = status.meanings.get(value?.toLowerCase() ?? "");
        if (meaning === undefined) throw invalid(entry, status.attribute, `"${value}" is in no status value`);
        return meaning;
      }),
    );
    if (meanings.size > 1) throw invalid(entry, status.attribute, "contradicts itself");
    const [meaning = "ok"] = meanings;
    return meaning;
  }

  #hasFolder(mailbox: MailboxId, entry: Entry): boolean {
    const { folderAttribute, separator } = this.#options;
    if (folderAttribute === null || mailbox.kind === "shared" || mailbox.folders.length === 0) return true;
    const wanted = canonicalPath(mailbox.folders.join(separator), separator);
    const paths = entry.values(folderAttribute);
    if (paths.some((path) => path !== null && canonicalPath(path, separator) === wanted)) return true;
    if (paths.includes(null)) throw invalid(entry, folderAttribute, "is no UTF-8, so it may be this folder or not");
    return false;
  }

  #rights(entry: Entry): string | null {
    const { aclAttribute } = this.#options;
    if (aclAttribute === null) return null;
    const values = entry.values(aclAttribute).map((value) => {
      if (value === null) throw invalid(entry, aclAttribute, "is no UTF-8");
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

  /** null: there is no limit. */
  #quota(
    entry: Entry,
    attributes: { readonly limit: string; readonly usage: string },
    parse: (text: string) => number | null,
  ): Pick<QuotaUsage, "used" | "limit"> | null {
    const limit = this.#number(entry, attributes.limit, parse);
    if (limit === null || limit < 0 || (limit === 0 && this.#options.zeroIsUnlimited)) return null;
    // Nothing is written down before the first message.
    const used = this.#number(entry, attributes.usage, parse) ?? 0;
    if (used < 0) throw invalid(entry, attributes.usage, "is negative");
    return { used, limit };
  }

  /** null: the entry has no such attribute. */
  #number(entry: Entry, attribute: string, parse: (text: string) => number | null): number | null {
    const values = entry.values(attribute);
    const [text] = values;
    if (text === undefined) return null;
    if (values.length > 1) this.#warnings.once(`ldap: ${entry.dn}: ${attribute} has several values, the first counts`);
    const number = text === null ? null : parse(text);
    if (number === null) throw invalid(entry, attribute, `"${text}" is no number`);
    return number;
  }
}

/** Without empty levels, and with one spelling of what is the same to Cyrus. */
function canonicalPath(path: string, separator: "/" | "."): string {
  const levels = path.split(separator).filter((level) => level !== "");
  return levels.map((level) => (separator === "/" ? level.replaceAll("^", ".") : level)).join(separator);
}

function invalid(entry: Entry, attribute: string, problem: string): StoreError {
  return new StoreError("invalid-data", `ldap: ${entry.dn}: ${attribute} ${problem}`);
}
