/** From the value of smmap_store to the adapter: one of ours, or a module of somebody else's. Loaded when wanted. */
import { createRequire } from "node:module";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { ConfigError, type StoreAdapter } from "./store.ts";

const builtIn: Readonly<Record<string, () => Promise<unknown>>> = {
  sqlite: () => import("../../adapters/sqlite/index.ts"),
  imap: () => import("../../adapters/imap/index.ts"),
  ldap: () => import("../../adapters/ldap/index.ts"),
};

/** Names of the stores that come with the program. */
export const builtInStores: readonly string[] = Object.keys(builtIn);

/**
 * @param name a built-in store, a path (it holds a "/" and is relative to `baseDirectory`), or a package's name
 * @param baseDirectory where imapd.conf lies
 * @throws ConfigError where there is no such module, or it exports no adapter
 */
export async function loadAdapter(name: string, baseDirectory: string): Promise<StoreAdapter> {
  const load = Object.hasOwn(builtIn, name) ? builtIn[name] : undefined;
  const module = (await (load === undefined ? importModule(name, baseDirectory) : load())) as { adapter?: unknown };
  const adapter = module.adapter as Partial<StoreAdapter> | undefined;
  if (typeof adapter?.parse !== "function" || typeof adapter.open !== "function") {
    throw new ConfigError(`smmap_store: the module ${name} exports no "adapter" with parse and open`);
  }
  return adapter as StoreAdapter;
}

async function importModule(name: string, baseDirectory: string): Promise<unknown> {
  try {
    return await import(locate(name, baseDirectory));
  } catch (cause) {
    const problem = cause instanceof Error ? cause.message : String(cause);
    const known = builtInStores.join(", ");
    throw new ConfigError(`smmap_store: cannot load ${name} (a store is ${known}, a path or a package): ${problem}`, {
      cause,
    });
  }
}

function locate(name: string, baseDirectory: string): string {
  const isPath = name.startsWith("/") || name.startsWith("./") || name.startsWith("../");
  if (isPath) return pathToFileURL(resolve(baseDirectory, name)).href;
  try {
    return import.meta.resolve(name);
  } catch {
    // Not beside our own package: perhaps beside the configuration.
    return pathToFileURL(createRequire(resolve(baseDirectory, "imapd.conf")).resolve(name)).href;
  }
}
