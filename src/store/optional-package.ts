/**
 * Loads code that needs an optional dependency: the client library of a store, or that of the metrics. npm goes on without
 * an optional dependency that it cannot build, so each may be missing or unusable, which matters to its users alone.
 */
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, dirname, join } from "node:path";
import type { ConfigError } from "./store.ts";

/**
 * @param name of the package
 * @param load imports a module of ours that imports the package; rejects where the package is of no use
 * @param refuse makes the error from a text that names the package and the command that helps
 * @throws ConfigError
 */
export async function loadWithPackage<T>(
  name: string,
  load: () => Promise<T>,
  refuse: (problem: string) => ConfigError,
): Promise<T> {
  try {
    return await load();
  } catch (cause) {
    const { command, where } = npmCall();
    if (!isInstalled(name)) {
      const version = wantedVersion(name);
      throw refuse(`the package ${name} is not installed; run "npm install ${command}${name}${version}"${where}`);
    }
    const [problem] = String(cause).split("\n");
    throw refuse(`the package ${name} cannot be loaded: ${problem}; run "npm rebuild ${command}${name}"${where}`);
  }
}

function isInstalled(name: string): boolean {
  try {
    createRequire(import.meta.url).resolve(name);
    return true;
  } catch (error) {
    // A package may have no entry for require().
    return (error as NodeJS.ErrnoException).code !== "MODULE_NOT_FOUND";
  }
}

/** "@1.2.3" as in package.json; "" for a package that is not listed there. */
function wantedVersion(name: string): string {
  const file = join(packageRoot(), "package.json");
  const { optionalDependencies } = JSON.parse(existsSync(file) ? readFileSync(file, "utf8") : "{}") as {
    readonly optionalDependencies?: Readonly<Record<string, string>>;
  };
  const version = optionalDependencies?.[name];
  return version === undefined ? "" : `@${version}`;
}

/** How npm reaches the place where this program is installed: the project that depends on it, or its global folder. */
function npmCall(): { readonly command: string; readonly where: string } {
  const root = packageRoot();
  const isDependency = basename(dirname(root)) === "node_modules";
  const folder = isDependency ? dirname(dirname(root)) : root;
  return existsSync(join(folder, "package.json"))
    ? { command: "", where: ` in ${folder}` }
    : { command: "--global ", where: "" };
}

/** The folder of our package.json, above src or above dist; the root folder if the file was taken away. */
function packageRoot(): string {
  let folder = import.meta.dirname;
  while (!existsSync(join(folder, "package.json")) && folder !== dirname(folder)) folder = dirname(folder);
  return folder;
}
