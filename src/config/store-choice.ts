/** Chooses the store: smmap_store or, with auto, the store that the configuration describes. */
import { builtInStores } from "../store/registry.ts";
import type { Config } from "./config.ts";

export interface StoreChoice {
  /** A built-in store, or a module. */
  readonly name: string;
  /** For the log. */
  readonly reason: string;
}

/** @throws ConfigError if auto finds no store, or several */
export function chooseStore(config: Config): StoreChoice {
  const name = config.string("smmap_store") ?? "auto";
  if (name !== "auto") return { name, reason: `smmap_store: ${name}` };
  const described = builtInStores.flatMap((store) => {
    const detection = store.detect?.(config) ?? null;
    return detection === null ? [] : [{ name: store.name, ...detection }];
  });
  const certain = described.filter(({ isFallback }) => isFallback !== true);
  const found = certain.length > 0 ? certain : described;
  const [only] = found;
  if (only === undefined) {
    throw config.error(
      "smmap_store",
      "no store is configured: set smmap_store; or smmap_imap_server; or sql_engine: sqlite, sql_database and " +
        "smmap_sql_query; or ldap_uri and an option that begins with smmap_ldap_",
    );
  }
  if (found.length > 1) {
    const list = found.map((store) => `${store.name} (${store.reason})`).join(", ");
    throw config.error("smmap_store", `several stores are configured, name one of them here: ${list}`);
  }
  return { name: only.name, reason: only.reason };
}
