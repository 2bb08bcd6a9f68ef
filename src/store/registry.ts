/** From the value of smmap_store to the adapter: one of ours, or a module of somebody else's. Loaded when wanted. */
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import type { ConfigError, StoreAdapter } from "./store.ts";

const builtIn: Readonly<Record<string, () => Promise<unknown>>> = {
  sqlite: () => import("../../adapters/sqlite/index.ts"),
  imap: () => import("../../adapters/imap/index.ts"),
  ldap: () => import("../../adapters/ldap/index.ts"),
};

/** Names of the stores that come with the program. */
export const builtInStores: readonly string[] = Object.keys(builtIn);

/**
 * @param name a built-in store, a path (it begins with "/" or "." and is relative to `baseDirectory`), or a package's name
 * @param baseDirectory where imapd.conf lies
 * @param refuse makes the error that names key, file and line
 * @throws ConfigError where there is no such module, or it exports no adapter
 */
export async function loadAdapter(
  name: string,
  baseDirectory: string,
  refuse: (problem: string) => ConfigError,
): Promise<StoreAdapter> {
  const load = Object.hasOwn(builtIn, name) ? builtIn[name] : undefined;
  const module = await (load === undefined ? importModule(name, resolve(baseDirectory), refuse) : load());
  const { adapter } = module as { readonly adapter?: Partial<StoreAdapter> };
  if (typeof adapter?.parse !== "function" || typeof adapter.open !== "function") {
    throw refuse('the module exports no "adapter" with parse and open');
  }
  return adapter as StoreAdapter;
}

async function importModule(
  name: string,
  baseDirectory: string,
  refuse: (problem: string) => ConfigError,
): Promise<unknown> {
  const isPath = /^\.{0,2}\//.test(name);
  const path = isPath ? resolve(baseDirectory, name) : pathOfPackage(name, baseDirectory);
  if (path === null) {
    throw refuse(
      `there is no such store (${builtInStores.join(", ")}), and no such package in node_modules of ` +
        `${import.meta.dirname}, of ${baseDirectory}, or above them`,
    );
  }
  if (!existsSync(path)) throw refuse(`there is no file ${path}`);
  try {
    return await import(pathToFileURL(path).href);
  } catch (cause) {
    // That it is this file of ours that wants the module helps nobody.
    const problem = String(cause).replace(/ (?:resolving ES modules )?imported from .*/s, "");
    throw refuse(`the module ${path} cannot be loaded: ${problem}`);
  }
}

/** Beside our own package, or beside the configuration; null: in neither place. */
function pathOfPackage(name: string, baseDirectory: string): string | null {
  try {
    return fileURLToPath(import.meta.resolve(name));
  } catch {
    try {
      return createRequire(join(baseDirectory, "imapd.conf")).resolve(name);
    } catch {
      return null;
    }
  }
}
