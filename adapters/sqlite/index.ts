/** The SQLite store: looks mailboxes up in a database file, in the native schema or by a site's own queries. */

import type { ConfigReader, StoreAdapter } from "../../src/store/store.ts";
import type { ZeroLimit } from "../sql/columns.ts";
import { parseQuery, type Query } from "../sql/query-text.ts";
import "./library.ts";
import { sqliteDialect } from "./dialect.ts";
import { manifest } from "./manifest.ts";
import { NativeLayout } from "./native.ts";
import { syntaxErrorOf } from "./read-only.ts";
import { SiteLayout } from "./site.ts";
import { type SqliteOptions, SqliteStore } from "./store.ts";
import type { Layout } from "./tables.ts";

/** Milliseconds. All other requests wait as well. */
const BUSY_TIMEOUT_MAX = 1000;

export const adapter: StoreAdapter<SqliteOptions> = {
  ...manifest,

  parse(config) {
    if (config.isSet("sql_engine") && config.choice("sql_engine") !== "sqlite") {
      throw config.error("sql_engine", "is not sqlite; if Cyrus uses this option itself, set smmap_sql_engine as well");
    }
    const path = config.path("sql_database");
    if (path === null) throw config.error("sql_database", "names the database file, and the sqlite store needs one");
    const busyTimeout = config.integer("smmap_sql_busy_timeout");
    if (busyTimeout < 0 || busyTimeout > BUSY_TIMEOUT_MAX) {
      throw config.error("smmap_sql_busy_timeout", `is not from 0 to ${BUSY_TIMEOUT_MAX} milliseconds`);
    }
    return { path, busyTimeout, layout: layoutFrom(config) };
  },

  open: (options, context) => new SqliteStore(options, context),
};

function layoutFrom(config: ConfigReader): Layout {
  const user = queryFrom(config, "smmap_sql_query");
  const shared = queryFrom(config, "smmap_sql_shared_query");
  if (user !== null) return new SiteLayout(user, shared, zeroLimit(config, "unlimited"));
  if (shared === null) return new NativeLayout(zeroLimit(config, "zero"));
  throw config.error("smmap_sql_shared_query", "has no effect without smmap_sql_query");
}

function queryFrom(config: ConfigReader, key: string): Query | null {
  const text = config.string(key);
  if (text === null) return null;
  const query = parseQuery(text, sqliteDialect, (problem) => config.error(key, problem));
  const problem = syntaxErrorOf(query.sql);
  if (problem !== null) throw config.error(key, problem);
  if (query.parameters.length === 0) {
    throw config.error(key, "has no parameter such as :address, so its result is the same for every address");
  }
  return query;
}

function zeroLimit(config: ConfigReader, otherwise: ZeroLimit): ZeroLimit {
  if (!config.isSet("smmap_quota_zero")) return otherwise;
  return config.choice("smmap_quota_zero") === "zero" ? "zero" : "unlimited";
}
