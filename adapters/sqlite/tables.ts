import type { Database } from "better-sqlite3";
import type { FolderPaths, MailboxFacts, MailboxId, StoreCapabilities } from "../../src/store/store.ts";

/** Prepared statements that look mailboxes up in one open database. */
export interface Tables {
  /** Warnings for the log. */
  readonly warnings: readonly string[];
  /** True if answers can change without a write to the database. */
  readonly isVolatile: boolean;
  /** @throws RowError if a value is not valid for its column, and whatever SQLite throws */
  find(mailbox: MailboxId): MailboxFacts;
  /** All folders of the mailbox's owner, or all shared folders; only if the layout lists folders. */
  folders?(mailbox: MailboxId): FolderPaths;
}

/** How mailboxes are stored in a database: in the native schema, or in a site's own. */
export interface Layout {
  readonly capabilities: StoreCapabilities;
  readonly listsFolders: boolean;
  /** The table of schema.sql, in which a row that breaks a constraint is damage; null: there is none. */
  readonly ownTable: string | null;
  /** Advice for a database that lacks the tables that are read. */
  readonly remedy: string;
  /** @throws RefusedStatement, and whatever SQLite throws */
  prepare(database: Database): Tables;
}
