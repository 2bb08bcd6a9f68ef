/** The store's keys, and whether a configuration describes it. Does not load better-sqlite3. */
import type { StoreManifest } from "../../src/store/store.ts";
import { sqlKeys } from "../sql/keys.ts";

export const manifest: StoreManifest = {
  name: "sqlite",
  keys: sqlKeys,

  /** sql_database alone describes no store: sites set it for Cyrus' own databases. */
  detect(config) {
    const isSqlite = config.isSet("sql_engine") && config.choice("sql_engine") === "sqlite";
    const isComplete = config.isSet("sql_database") && config.isSet("smmap_sql_query");
    if (!isSqlite || !isComplete) return null;
    return { reason: "sql_engine is sqlite, sql_database and smmap_sql_query are set" };
  },
};
