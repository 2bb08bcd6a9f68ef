import type { Database } from "better-sqlite3";
import type { FolderPaths, MailboxFacts, MailboxId, StoreCapabilities } from "../../src/store/store.ts";

/** Prepared statements that find mailboxes in one open database. */
export interface Tables {
  /** What an administrator should know about them. */
  readonly warnings: readonly string[];
  /** Answers can change while nobody writes to the database. */
  readonly isVolatile: boolean;
  /** Throws RowError where a row makes no sense, and whatever SQLite throws. */
  find(mailbox: MailboxId): MailboxFacts;
  /** All folders of the mailbox's owner, or all shared ones; only where the layout lists folders. */
  folders?(mailbox: MailboxId): FolderPaths;
}

/** One way to lay out mailboxes in a database: the native schema, or a site's own. */
export interface Layout {
  readonly capabilities: StoreCapabilities;
  readonly listsFolders: boolean;
  /** The table whose every constraint is ours, so that a row which breaks one is damage; null: there is none. */
  readonly ownTable: string | null;
  /** What to do where the database has other tables than those that are asked for. */
  readonly remedy: string;
  /** @throws RefusedStatement, and whatever SQLite throws */
  prepare(database: Database): Tables;
}
