/** The package as npm installs it from a registry, on a machine where no C++ compiler works. */
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from "vitest";
import { Daemon, DaemonFolder } from "../../fixtures/daemon.ts";
import { type Output, runProgram } from "../../fixtures/installation.ts";
import { Cyrus } from "../../fixtures/servers/cyrus.ts";
import { conformanceConf, populateConformanceData } from "../../fixtures/servers/cyrus-population.ts";
import { imapConf } from "../../fixtures/servers/cyrus-store.ts";
import {
  conformanceContent,
  mailboxesConf,
  mailboxesServer,
  readerConf,
} from "../../fixtures/servers/ldap-mailboxes.ts";
import { NpmRegistry } from "../../fixtures/servers/npm-registry.ts";
import { Slapd } from "../../fixtures/servers/slapd.ts";

interface LockedPackage {
  readonly version: string;
  readonly dev?: boolean;
}

const root = fileURLToPath(new URL("../../", import.meta.url));
const lock = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")) as {
  readonly packages: Readonly<Record<string, LockedPackage>>;
};

let directory: string;
/** Where the package is installed. */
let installed: string;
let program: string;
let folder: DaemonFolder;

async function npm(words: readonly string[], cwd: string, env: Readonly<Record<string, string>> = {}): Promise<string> {
  // The environment and the files of the caller say how the usual registry is reached.
  const output = await runProgram("npm", words, { cwd, env: { ...process.env, ...env }, timeout: 200_000 });
  expect(output.status, output.stderr).toBe(0);
  return output.stdout;
}

/** What `npm pack` makes of the build, without building anew: other tests use the build. */
async function pack(): Promise<string> {
  const staging = join(directory, "staging");
  const built = ["src", "adapters", "man"].map((path) => `dist/${path}`);
  const files = ["package.json", "package-lock.json", "src/smmapd.sh", "contrib", "docs", "README.md", "CHANGELOG.md"];
  for (const path of [...files, ...built, "adapters/sqlite/schema.sql", "dist/docs/build-shrinkwrap.js"]) {
    cpSync(join(root, path), join(staging, path), { recursive: true });
  }
  await runProgram(process.execPath, [join(staging, "dist/docs/build-shrinkwrap.js")]);
  const listing = await npm(["pack", "--ignore-scripts", "--silent", "--pack-destination", directory], staging);
  return join(directory, listing.trim().split("\n").at(-1) ?? "");
}

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), "smmapd-package-"));
  const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const upstream = (await npm(["config", "get", "registry"], directory)).trim();
  const registry = await NpmRegistry.start({ manifest, tarball: await pack(), upstream });
  const prefix = join(directory, "prefix");
  mkdirSync(prefix);
  try {
    const where = ["--prefix", prefix, "--cache", join(directory, "cache"), "--registry", registry.url];
    const compilers = { CC: "/bin/false", CXX: "/bin/false", npm_config_build_from_source: "true" };
    await npm(["install", "--global", ...where, "--no-audit", "--no-fund", "smmapd"], directory, compilers);
  } finally {
    await registry.close();
  }
  installed = join(prefix, "lib/node_modules/smmapd");
  program = join(prefix, "bin/smmapd");
}, 300_000);
afterAll(() => rmSync(directory, { recursive: true, force: true }));
beforeEach(() => {
  folder = new DaemonFolder();
});
afterEach(() => folder.remove());

function configure(conf: Readonly<Record<string, string>>): void {
  const lines = Object.entries({ ...conformanceConf, ...conf }).map(([key, value]) => `${key}: ${value}`);
  folder.configure(lines.join("\n"));
}

function check(...words: readonly string[]): Promise<Output> {
  return runProgram(program, ["check", ...words]);
}

it("has the versions of the lock file, but for what needs a compiler", () => {
  const locked = Object.entries(lock.packages).filter(([path, { dev }]) => path !== "" && dev !== true);
  const found = locked.flatMap(([path, { version }]) => {
    const file = join(installed, path, "package.json");
    return existsSync(file) ? [[path, version, JSON.parse(readFileSync(file, "utf8")).version]] : [];
  });
  expect(found.map(([path]) => path)).toEqual(
    expect.arrayContaining(["imapflow", "ldapts", "lru-cache", "prom-client"].map((name) => `node_modules/${name}`)),
  );
  expect(found.filter(([, wanted, version]) => wanted !== version)).toEqual([]);
  expect(existsSync(join(installed, "node_modules/better-sqlite3"))).toBe(false);
});

it("refuses the sqlite store by one line", async () => {
  configure({ smmap_store: "sqlite", sql_database: "mailboxes.db" });
  const { status, stderr } = await check("-C", folder.configFile, "anna@village.example");
  expect(stderr).toMatch(/^smmapd: .* better-sqlite3 is not installed; run "npm install --global better-sqlite3@.*\n$/);
  expect(status).toBe(78);
});

/** The replies of check, and of a daemon with metrics. */
async function expectAnswers(): Promise<void> {
  const addresses = ["anna@village.example", "dora@village.example", "nobody@village.example"];
  const replies = ["OK anna@village.example", "TEMP Over quota", "NOTFOUND Mailbox does not exist"];
  const stdout = addresses.map((address, i) => `${address}: ${replies[i]}\n`).join("");
  expect(await check("-C", folder.configFile, ...addresses)).toMatchObject({ stdout });
  const daemon = await Daemon.start(folder, { program });
  try {
    expect(await check("--socket", folder.socket, ...addresses)).toMatchObject({ stdout });
    expect(daemon.text).toMatch(/serving metrics on/);
  } finally {
    await daemon.kill();
  }
}

it("runs the ldap store", async () => {
  const slapd = await Slapd.start(mailboxesServer(conformanceContent));
  try {
    const metrics = { smmap_metrics_listen: "127.0.0.1:0" };
    configure({ smmap_store: "ldap", ldap_uri: slapd.uri, ...mailboxesConf, ...readerConf, ...metrics });
    await expectAnswers();
  } finally {
    await slapd.close();
  }
}, 120_000);

it("runs the imap store", async () => {
  const cyrus = await Cyrus.start({ imapdConf: conformanceConf });
  try {
    await populateConformanceData(cyrus);
    configure({ ...imapConf(cyrus), smmap_metrics_listen: "127.0.0.1:0" });
    await expectAnswers();
  } finally {
    await cyrus.stop();
  }
}, 120_000);
