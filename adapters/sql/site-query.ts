/** The columns of a site's own query, and the conversion of its row to facts. The same for every SQL engine. */
import type { MailboxFacts, MailboxId, QuotaUsage } from "../../src/store/store.ts";
import {
  describeMailbox,
  flagFrom,
  limitedResources,
  limitFrom,
  noQuotas,
  present,
  type RootUsage,
  rightsFrom,
  textFrom,
  usageFrom,
  type ZeroLimit,
} from "./columns.ts";
import type { Query } from "./query-text.ts";

/** Octets in one unit of a storage column. */
const limitUnits = { quota_bytes: 1, quota_kib: 1024, quota_mib: 1024 * 1024 } as const;
const usageUnits = { used_bytes: 1, used_kib: 1024 } as const;
const otherColumns = ["active", "rights", "mailbox", "quota_messages", "used_messages"] as const;
const knownColumns: readonly string[] = [...otherColumns, ...Object.keys(limitUnits), ...Object.keys(usageUnits)];

/** Values of one row, in the order of `SiteColumns.selected`. */
export type SiteRow = [
  active: unknown,
  rights: unknown,
  mailbox: unknown,
  storageLimit: unknown,
  storageUsed: unknown,
  messageLimit: unknown,
  messageUsed: unknown,
];

export class SiteColumns {
  readonly names: ReadonlySet<string>;
  /** Columns or constants that make up a `SiteRow`. */
  readonly selected: readonly string[];
  readonly #zero: ZeroLimit;
  readonly #limitColumn: keyof typeof limitUnits;
  readonly #usageColumn: keyof typeof usageUnits;

  /**
   * @param given names of the query's columns, in lower case
   * @param refuse makes the error for a query that cannot be used
   */
  constructor(given: readonly string[], zero: ZeroLimit, refuse: (problem: string) => Error) {
    const unknown = given.find((name) => !knownColumns.includes(name));
    if (unknown !== undefined) throw refuse(`column ${unknown} is not one of ${knownColumns.join(", ")}`);
    this.names = new Set(given);
    if (this.names.size < given.length) throw refuse("a column occurs twice");
    this.#zero = zero;
    this.#limitColumn = this.#onlyOne(limitUnits, refuse) ?? "quota_bytes";
    this.#usageColumn = this.#onlyOne(usageUnits, refuse) ?? "used_bytes";
    const storage = [this.#limitColumn, this.#usageColumn];
    const wanted = ["active", "rights", "mailbox", ...storage, "quota_messages", "used_messages"];
    this.selected = wanted.map((name) => (this.names.has(name) ? name : name === "active" ? "1" : "NULL"));
  }

  /** Facts of the mailbox in a row; null: the row is not active. @throws RowError */
  facts(row: SiteRow, mailbox: MailboxId): MailboxFacts | null {
    if (!flagFrom(row[0], "active")) return null;
    return present(rightsFrom(row[1]), this.#quotas(row, mailbox));
  }

  #quotas(row: SiteRow, mailbox: MailboxId): readonly QuotaUsage[] {
    const root = textFrom(row[2], "mailbox");
    const usage: RootUsage = {
      storageLimit: limitFrom(row[3], limitUnits[this.#limitColumn], this.#zero, this.#limitColumn),
      storageUsed: usageFrom(row[4], usageUnits[this.#usageColumn], this.#usageColumn),
      messageLimit: limitFrom(row[5], 1, this.#zero, "quota_messages"),
      messageUsed: usageFrom(row[6], 1, "used_messages"),
    };
    if (usage.storageLimit === null && usage.messageLimit === null) return noQuotas;
    return limitedResources(root ?? describeMailbox(mailbox), usage);
  }

  /** The one of these columns that the query has; null: it has none of them. */
  #onlyOne<Name extends string>(
    units: Readonly<Record<Name, number>>,
    refuse: (problem: string) => Error,
  ): Name | null {
    const given = (Object.keys(units) as Name[]).filter((name) => this.names.has(name));
    if (given.length > 1) throw refuse(`${given.join(" and ")} are the same in two units`);
    return given[0] ?? null;
  }
}

/** True if a query may return a limit; "*" may stand for any column. */
export function mayLimit(resource: "STORAGE" | "MESSAGE", { sql }: Query): boolean {
  return (resource === "STORAGE" ? /\*|quota_(bytes|kib|mib)/i : /\*|quota_messages/i).test(sql);
}

/** True if the result depends on the detail of an address. */
export function readsDetail({ parameters }: Query): boolean {
  return parameters.some((parameter) => parameter === "detail" || parameter === "mailbox");
}
