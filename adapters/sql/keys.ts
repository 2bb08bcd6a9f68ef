import type { KeyDefinition } from "../../src/store/store.ts";

/** The sqlite store. */
export const sqlKeys: readonly KeyDefinition[] = [
  {
    name: "sql_engine",
    type: "choice",
    default: null,
    values: ["mysql", "pgsql", "sqlite"],
    text: "The database engine of Cyrus' own `sql` databases and of our sqlite store, which supports only sqlite.",
  },
  {
    name: "sql_database",
    type: "path",
    default: null,
    text: "The database file; a relative path starts at configdirectory. If Cyrus uses the same file for its `sql` databases, set smmap_sql_database.",
  },
  {
    name: "smmap_sql_query",
    type: "string",
    default: null,
    text: "One SELECT that finds the mailbox of a user; the page of the sqlite store lists its parameters and columns. Unset, the store's own schema is used.",
  },
  {
    name: "smmap_sql_shared_query",
    type: "string",
    default: null,
    text: "One SELECT that finds a shared folder and the rights to it, in addition to smmap_sql_query. Unset, there are no shared folders in a schema of your own.",
  },
  {
    name: "smmap_sql_busy_timeout",
    type: "integer",
    default: "50",
    text: "Milliseconds to wait for a locked database. The whole process waits.",
  },
];
