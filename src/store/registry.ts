/** From the value of smmap_store to the adapter: a built-in one, or a third party's module. Loaded on demand. */
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { manifest as imap } from "../../adapters/imap/manifest.ts";
import { manifest as ldap } from "../../adapters/ldap/manifest.ts";
import { manifest as sqlite } from "../../adapters/sqlite/manifest.ts";
import { loadWithPackage } from "./optional-package.ts";
import type { ConfigError, StoreAdapter, StoreManifest } from "./store.ts";

/** Stores that come with the program, in the order of the manual page. Their client libraries are not loaded by this. */
export const builtInStores: readonly StoreManifest[] = [sqlite, ldap, imap];

interface BuiltInAdapter {
  /** Its client library, an optional dependency. */
  readonly package: string;
  load(): Promise<unknown>;
}

const adapters: Readonly<Record<string, BuiltInAdapter>> = {
  sqlite: { package: "better-sqlite3", load: () => import("../../adapters/sqlite/index.ts") },
  ldap: { package: "ldapts", load: () => import("../../adapters/ldap/index.ts") },
  imap: { package: "imapflow", load: () => import("../../adapters/imap/index.ts") },
};

/**
 * @param name a built-in store, a path (it begins with "/" or "." and is relative to `baseDirectory`), or a package's name
 * @param baseDirectory where imapd.conf lies
 * @param refuse makes the error that names key, file and line
 * @throws ConfigError where there is no such module, it or its client library cannot be loaded, or it exports no adapter
 */
export async function loadAdapter(
  name: string,
  baseDirectory: string,
  refuse: (problem: string) => ConfigError,
): Promise<StoreAdapter> {
  const builtIn = Object.hasOwn(adapters, name) ? adapters[name] : undefined;
  const module =
    builtIn === undefined
      ? await importModule(name, resolve(baseDirectory), refuse)
      : await loadWithPackage(builtIn.package, builtIn.load, (problem) => refuse(`the store ${name}: ${problem}`));
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
      `there is no such store (${Object.keys(adapters).join(", ")}), and no such package in node_modules of ` +
        `${import.meta.dirname}, of ${baseDirectory}, or above them`,
    );
  }
  if (!existsSync(path)) throw refuse(`there is no file ${path}`);
  try {
    return await import(pathToFileURL(path).href);
  } catch (cause) {
    // Node.js adds the path of this file, which is of no use to the administrator.
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
