/**
 * Writes npm-shrinkwrap.json from package-lock.json, for the package: npm publishes no package-lock.json and heeds the
 * overrides of the root package alone, so an installed package would get other versions than those that were tested.
 */
import { readFileSync, writeFileSync } from "node:fs";

interface LockedPackage {
  /** Only a package of development needs it. */
  readonly dev?: boolean;
  readonly devDependencies?: Readonly<Record<string, string>>;
}

interface LockFile {
  readonly packages: Readonly<Record<string, LockedPackage>>;
}

/** From dist/docs. */
const root = new URL("../../", import.meta.url);
const lock = JSON.parse(readFileSync(new URL("package-lock.json", root), "utf8")) as LockFile;

const packages = Object.entries(lock.packages)
  .filter(([, { dev }]) => dev !== true)
  .map(([path, { devDependencies: _, ...rest }]) => [path, rest] as const);
const shrinkwrap = { ...lock, packages: Object.fromEntries(packages) };
writeFileSync(new URL("npm-shrinkwrap.json", root), `${JSON.stringify(shrinkwrap, null, 2)}\n`);
