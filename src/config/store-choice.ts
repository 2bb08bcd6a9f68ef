/** Which store answers: what smmap_store says, or, with auto, the one that the file describes. */
import type { Config } from "./config.ts";
import { keys } from "./keys.ts";

export interface StoreChoice {
  /** A built-in store, or a module. */
  readonly name: string;
  /** For the log. */
  readonly reason: string;
}

/**
 * A plain ldap_uri or sql_database is no choice: many a site has it for ptloader and for Cyrus' own databases.
 * @throws ConfigError where auto finds no store, or several
 */
export function chooseStore(config: Config): StoreChoice {
  const name = config.string("smmap_store") ?? "auto";
  if (name !== "auto") return { name, reason: `smmap_store: ${name}` };
  const found = [imapByServer(config), sqlite(config), ldap(config)].filter((choice) => choice !== null);
  const [only] = found.length > 0 ? found : [imapByPassword(config)];
  if (only === undefined || only === null) {
    throw config.error(
      "smmap_store",
      "no store is configured: set smmap_store; or smmap_imap_server; or sql_engine: sqlite, sql_database and " +
        "smmap_sql_query; or ldap_uri and an option that begins with smmap_ldap_",
    );
  }
  if (found.length > 1) {
    const list = found.map((choice) => `${choice.name} (${choice.reason})`).join(", ");
    throw config.error("smmap_store", `several stores are configured, name one of them here: ${list}`);
  }
  return only;
}

function imapByServer(config: Config): StoreChoice | null {
  return config.isSet("smmap_imap_server") ? { name: "imap", reason: "smmap_imap_server is set" } : null;
}

function sqlite(config: Config): StoreChoice | null {
  const isSqlite = config.isSet("sql_engine") && config.choice("sql_engine") === "sqlite";
  const isComplete = config.isSet("sql_database") && config.isSet("smmap_sql_query");
  if (!isSqlite || !isComplete) return null;
  return { name: "sqlite", reason: "sql_engine is sqlite, sql_database and smmap_sql_query are set" };
}

function ldap(config: Config): StoreChoice | null {
  if (!config.isSet("ldap_uri")) return null;
  const ours = keys.find(({ name }) =>
    name.startsWith("smmap_ldap_") ? config.isSet(name) : name.startsWith("ldap_") && config.isSetForService(name),
  );
  if (ours === undefined) return null;
  const written = ours.name.startsWith("smmap_") ? ours.name : `${config.service}_${ours.name}`;
  return {
    name: "ldap",
    reason: written === `${config.service}_ldap_uri` ? `${written} is set` : `ldap_uri and ${written} are set`,
  };
}

function imapByPassword(config: Config): StoreChoice | null {
  const password = ["smmap_imap_password", "proxy_password"].find((key) => config.isSet(key));
  return password === undefined
    ? null
    : { name: "imap", reason: `${password} is set, and nothing names another store` };
}
