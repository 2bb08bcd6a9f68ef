/** A site's own schema: one query for mailboxes of users, another one for shared folders; columns known by their names. */
import type { Database, Statement } from "better-sqlite3";
import {
  type MailboxFacts,
  type MailboxId,
  type QuotaUsage,
  type StoreCapabilities,
  StoreError,
} from "../../src/store/store.ts";
import { readerOf } from "./parameters.ts";
import { isVolatile, tablesRead, tablesReadWhole } from "./query-plan.ts";
import { prepareReading, RefusedStatement } from "./read-only.ts";
import {
  absent,
  describeMailbox,
  flagFrom,
  limitedResources,
  limitFrom,
  noQuotas,
  present,
  type RootUsage,
  RowError,
  rightsFrom,
  textFrom,
  usageFrom,
  type ZeroLimit,
} from "./row.ts";
import type { Query } from "./sql-text.ts";
import type { Layout, Tables } from "./tables.ts";

/** Octets in one unit of a column for storage. */
const limitUnits = { quota_bytes: 1, quota_kib: 1024, quota_mib: 1024 * 1024 } as const;
const usageUnits = { used_bytes: 1, used_kib: 1024 } as const;
const otherColumns = ["active", "rights", "mailbox", "quota_messages", "used_messages"] as const;
const knownColumns: readonly string[] = [...otherColumns, ...Object.keys(limitUnits), ...Object.keys(usageUnits)];

export class SiteLayout implements Layout {
  readonly capabilities: StoreCapabilities;
  readonly listsFolders = false;
  readonly ownTable = null;
  readonly remedy = "correct smmap_sql_query or smmap_sql_shared_query";
  readonly #user: Query;
  readonly #shared: Query | null;
  readonly #zero: ZeroLimit;

  /** @param shared null: the site keeps no shared folders */
  constructor(user: Query, shared: Query | null, zero: ZeroLimit) {
    this.#user = user;
    this.#shared = shared;
    this.#zero = zero;
    this.capabilities = {
      folders: user.parameters.some((parameter) => parameter === "detail" || parameter === "mailbox"),
      shared: shared !== null,
      isLocal: true,
      quota: (["STORAGE", "MESSAGE"] as const).filter((resource) => [user, shared].some(mayLimit(resource))),
    };
  }

  prepare(database: Database): Tables {
    const user = new SiteTable(database, this.#user, this.#zero);
    const shared = this.#shared === null ? null : new SiteTable(database, this.#shared, this.#zero);
    const lacksRights = shared?.columns.has("rights") === false;
    return {
      warnings: [
        ...slowness(database, this.#user),
        ...(this.#shared === null ? [] : slowness(database, this.#shared)),
        ...(lacksRights ? [noRights] : []),
      ],
      isVolatile: [this.#user, this.#shared].some((query) => query !== null && isVolatile(database, query)),
      find: (mailbox) => (mailbox.kind === "user" ? user : shared)?.find(mailbox) ?? absent,
    };
  }
}

const noRights =
  "smmap_sql_shared_query gives no column rights, so nobody may post to any shared folder; " +
  "where everybody may, let it give 'p' AS rights";

/** Whether a query can give a limit; "*" can stand for any column. */
function mayLimit(resource: "STORAGE" | "MESSAGE"): (query: Query | null) => boolean {
  const pattern = resource === "STORAGE" ? /\*|quota_(bytes|kib|mib)/i : /\*|quota_messages/i;
  return (query) => query !== null && pattern.test(query.sql);
}

function slowness(database: Database, query: Query): string[] {
  const tables = tablesReadWhole(database, query);
  if (tables.length === 0) return [];
  return [
    `the whole of ${tables.join(" and ")} is read for every request, and nothing else is answered meanwhile; ` +
      "make an index on the columns that the query compares, and compare them as they are (no lower(), no LIKE); " +
      `the query is: ${query.text}`,
  ];
}

type Row = [
  active: unknown,
  rights: unknown,
  mailbox: unknown,
  storageLimit: unknown,
  storageUsed: unknown,
  messageLimit: unknown,
  messageUsed: unknown,
];

/** One prepared query. */
class SiteTable {
  readonly columns: ReadonlySet<string>;
  readonly #statement: Statement<unknown[], Row>;
  /** The tables behind it. */
  readonly #tables: readonly string[];
  /** Whether any of the tables holds a row; null: the query reads none that could be emptied. */
  readonly #any: Statement<[], 0 | 1> | null;
  readonly #values: string[];
  readonly #read: readonly ((mailbox: MailboxId) => string)[];
  readonly #zero: ZeroLimit;
  readonly #limitColumn: keyof typeof limitUnits;
  readonly #usageColumn: keyof typeof usageUnits;

  constructor(database: Database, query: Query, zero: ZeroLimit) {
    const columns = columnsOf(database, query);
    this.columns = columns;
    this.#zero = zero;
    this.#limitColumn = only(query, columns, limitUnits) ?? "quota_bytes";
    this.#usageColumn = only(query, columns, usageUnits) ?? "used_bytes";
    const wanted = [
      "active",
      "rights",
      "mailbox",
      this.#limitColumn,
      this.#usageColumn,
      "quota_messages",
      "used_messages",
    ];
    const selected = wanted.map((name) => (columns.has(name) ? name : name === "active" ? "1" : "NULL"));
    // Named once more, the columns keep their places when a table changes; a second row is one too many.
    const sql = `SELECT ${selected.join(", ")} FROM (${query.sql}) LIMIT 2`;
    this.#statement = prepareReading<Row>(database, sql, query.text).raw(true);
    this.#tables = tablesRead(database, query);
    const anyOf = this.#tables.map((table) => `EXISTS (SELECT 1 FROM "${table.replaceAll('"', '""')}")`).join(" OR ");
    this.#any = anyOf === "" ? null : database.prepare<[], 0 | 1>(`SELECT ${anyOf}`).pluck(true);
    this.#read = query.parameters.map(readerOf);
    this.#values = query.parameters.map(() => "");
  }

  find(mailbox: MailboxId): MailboxFacts {
    const values = this.#values;
    for (let i = 0; i < values.length; i++) values[i] = this.#read[i]?.(mailbox) ?? "";
    const rows = this.#statement.all(values);
    const row = rows[0];
    if (rows.length > 1) throw new RowError("the query gives more than one row");
    if (row === undefined || !flagFrom(row[0], "active")) return this.#absent();
    return present(rightsFrom(row[1]), this.#quotas(row, mailbox));
  }

  /** @throws StoreError (invalid-data) where nothing is in the tables: a mistake, or they are still to be filled */
  #absent(): MailboxFacts {
    if (this.#any?.get() !== 0) return absent;
    throw new StoreError(
      "invalid-data",
      `sqlite: nobody is taken for unknown while all tables that the query reads are empty: ${this.#tables.join(", ")}`,
    );
  }

  #quotas(row: Row, mailbox: MailboxId): readonly QuotaUsage[] {
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
}

/** The names of the columns that the query gives. @throws RefusedStatement */
function columnsOf(database: Database, { sql, text }: Query): ReadonlySet<string> {
  const names = prepareReading(database, sql, text)
    .columns()
    .map(({ name }) => name.toLowerCase());
  const unknown = names.find((name) => !knownColumns.includes(name));
  if (unknown !== undefined) {
    throw new RefusedStatement(`column ${unknown} is not one of ${knownColumns.join(", ")}`, text);
  }
  const columns = new Set(names);
  if (columns.size < names.length) throw new RefusedStatement("a column is there twice", text);
  return columns;
}

/** The one of several columns that the query gives, null where it gives none. */
function only<Name extends string>(
  { text }: Query,
  columns: ReadonlySet<string>,
  units: Readonly<Record<Name, number>>,
): Name | null {
  const given = (Object.keys(units) as Name[]).filter((name) => columns.has(name));
  if (given.length > 1) throw new RefusedStatement(`${given.join(" and ")} are the same in two units`, text);
  return given[0] ?? null;
}
