/** A site's own schema: one query for mailboxes of users, and one for shared folders. Columns are found by their names. */
import type { Database, Statement } from "better-sqlite3";
import { type MailboxFacts, type MailboxId, type StoreCapabilities, StoreError } from "../../src/store/store.ts";
import { absent, RowError, type ZeroLimit } from "../sql/columns.ts";
import { readerOf } from "../sql/parameters.ts";
import type { Query } from "../sql/query-text.ts";
import { mayLimit, readsDetail, SiteColumns, type SiteRow } from "../sql/site-query.ts";
import { isVolatile, tablesRead, tablesReadWhole } from "./query-plan.ts";
import { prepareReading, RefusedStatement } from "./read-only.ts";
import type { Layout, Tables } from "./tables.ts";

export class SiteLayout implements Layout {
  readonly capabilities: StoreCapabilities;
  readonly listsFolders = false;
  readonly ownTable = null;
  readonly remedy = "correct smmap_sql_query or smmap_sql_shared_query";
  readonly #user: Query;
  readonly #shared: Query | null;
  readonly #zero: ZeroLimit;

  /** @param shared null: there are no shared folders */
  constructor(user: Query, shared: Query | null, zero: ZeroLimit) {
    this.#user = user;
    this.#shared = shared;
    this.#zero = zero;
    this.capabilities = {
      folders: readsDetail(user),
      shared: shared !== null,
      isLocal: true,
      quota: (["STORAGE", "MESSAGE"] as const).filter((resource) =>
        [user, shared].some((query) => query !== null && mayLimit(resource, query)),
      ),
    };
  }

  prepare(database: Database): Tables {
    const user = new SiteTable(database, this.#user, this.#zero);
    const shared = this.#shared === null ? null : new SiteTable(database, this.#shared, this.#zero);
    const lacksRights = shared?.columns.names.has("rights") === false;
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
  "smmap_sql_shared_query has no column rights, so every shared folder is absent; " +
  "if everybody may post to them, add 'p' AS rights";

function slowness(database: Database, query: Query): string[] {
  const tables = tablesReadWhole(database, query);
  if (tables.length === 0) return [];
  return [
    `the whole of ${tables.join(" and ")} is read for every request, and all other requests wait meanwhile; ` +
      "create an index on the columns that the query compares, and compare them without lower() and LIKE; " +
      `the query is: ${query.text}`,
  ];
}

/** One prepared query. */
class SiteTable {
  readonly columns: SiteColumns;
  readonly #statement: Statement<unknown[], SiteRow>;
  /** The tables that it reads. */
  readonly #tables: readonly string[];
  /** 1 if any of the tables has a row; null: the query reads no table, or a virtual one. */
  readonly #any: Statement<[], 0 | 1> | null;
  readonly #values: string[];
  readonly #read: readonly ((mailbox: MailboxId) => string)[];

  constructor(database: Database, query: Query, zero: ZeroLimit) {
    const { sql, text } = query;
    const names = prepareReading(database, sql, text)
      .columns()
      .map(({ name }) => name.toLowerCase());
    this.columns = new SiteColumns(names, zero, (problem) => new RefusedStatement(problem, text));
    // Naming the columns keeps their order when a table behind "*" changes. LIMIT 2 shows whether there is a second row.
    const selection = `SELECT ${this.columns.selected.join(", ")} FROM (${sql}) LIMIT 2`;
    this.#statement = prepareReading<SiteRow>(database, selection, text).raw(true);
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
    return (row === undefined ? null : this.columns.facts(row, mailbox)) ?? this.#absent();
  }

  /** @throws StoreError (invalid-data) if all tables are empty: they were emptied by mistake, or are not filled yet */
  #absent(): MailboxFacts {
    if (this.#any?.get() !== 0) return absent;
    const tables = this.#tables.join(", ");
    throw new StoreError(
      "invalid-data",
      `sqlite: all tables that the query reads are empty, so no mailbox counts as absent: ${tables}`,
    );
  }
}
