import type { Database } from "better-sqlite3";
import type { MailboxFacts, MailboxId, StoreCapabilities } from "../../src/store/store.ts";
import type { Query } from "./sql-text.ts";

/** Prepared statements that find mailboxes in one open database. */
export interface Tables {
  /** Throws RowError where a row makes no sense, and whatever SQLite throws. */
  find(mailbox: MailboxId): MailboxFacts;
}

/** One way to lay out mailboxes in a database: the native schema, or a site's own. */
export interface Layout {
  readonly capabilities: StoreCapabilities;
  /** The queries that are somebody's own, to be held against their plan. */
  readonly queries: readonly Query[];
  /** @throws RefusedStatement, and whatever SQLite throws */
  prepare(database: Database): Tables;
}
