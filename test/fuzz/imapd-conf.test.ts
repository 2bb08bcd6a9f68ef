/**
 * Configuration files out of shape: there is always a configuration, or a ConfigError that names file and line, and soon.
 * What was understood can be written down and is understood the same way again.
 *
 * A file that ever led astray is kept in corpus/imapd-conf.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { expect, it } from "vitest";
import { adapter as imap } from "../../adapters/imap/index.ts";
import { adapter as ldap } from "../../adapters/ldap/index.ts";
import { adapter as sqlite } from "../../adapters/sqlite/index.ts";
import { Config } from "../../src/config/config.ts";
import { type ImapdConf, parseImapdConf } from "../../src/config/imapd-conf.ts";
import { readProcess } from "../../src/config/process-settings.ts";
import { readSettings } from "../../src/config/settings.ts";
import { ConfigError } from "../../src/store/store.ts";
import { hex, inProportion, seed, timeout } from "./campaign.ts";
import { anyFiles, type Files, main } from "./imapd-conf-files.ts";

/** Milliseconds that no file may take, however busy the machine is. */
const AGES = 10_000;

const corpus = new URL("corpus/imapd-conf/", import.meta.url).pathname;

function parse(files: Files): ImapdConf {
  return parseImapdConf(main, (path) => {
    const bytes = files[path];
    // The original's words, as for a file that the system does not find.
    if (bytes === undefined) throw new ConfigError(`can't open configuration file ${path}: No such file or directory`);
    return { bytes, isWorldReadable: true };
  });
}

/** Everything that a start does with a configuration, each for itself. */
const readers: readonly ((config: Config) => unknown)[] = [
  readSettings,
  (config) => readProcess(config, {}),
  ...[sqlite, ldap, imap].map((adapter) => (config: Config) => {
    config.register(adapter.keys ?? []);
    return adapter.parse(config);
  }),
  (config) => config.effective(),
  (config) => config.warnings(),
];

/** Reads files as a start does. Throws where anything but a ConfigError with its place comes out. */
function attempt(files: Files): void {
  const since = performance.now();
  try {
    read(files);
  } catch (error) {
    const shown = Object.entries(files).map(([name, bytes]) => `${name} ${hex(bytes)}`);
    const message = error instanceof Error ? error.message : String(error);
    throw new Error(`${message.slice(0, 1_000)}; out of ${shown.join(", ").slice(0, 10_000)}`, { cause: error });
  }
  expect(performance.now() - since).toBeLessThan(AGES);
}

function read(files: Files): void {
  const conf = refused(files, () => parse(files));
  if (conf === null) return;
  expectSame(conf);
  const config = refused(files, () => new Config(conf, "smmap"));
  if (config === null) return;
  for (const reader of readers) refused(files, () => reader(config));
}

/** What a reader makes; null where it refuses, as it may. */
function refused<T>(files: Files, use: () => T): T | null {
  try {
    return use();
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    if (!hasPlace(error.message, files)) throw new Error(`no file and line: ${error.message}`);
    return null;
  }
}

/** Where an option is missing there is no line of it, and an included file that is not there has none either. */
const placeless = /can't open configuration file|option not specified|the file does not set it|included twice/;

function hasPlace(message: string, files: Files): boolean {
  if (placeless.test(message)) return true;
  const places = [
    ...message.matchAll(/^(?<file>\S{1,100}):(?<line>\d+):/g),
    ...message.matchAll(/line (?<line>\d+) of (?:configuration file )?(?<file>[^\s,)]{1,100})/g),
  ];
  return places.some(({ groups }) => Number(groups?.line) <= (files[groups?.file ?? ""] ?? "").split("\n").length);
}

/** Options that are written down again, one a line, are the same options. */
function expectSame({ options }: ImapdConf): void {
  // Before the end of a line a backslash means something else.
  const plain = options.filter(({ value }) => !value.endsWith("\\"));
  const text = plain.map(({ name, value }) => `${name}: ${value}\n`).join("");
  const again = parse({ [main]: Buffer.from(text, "utf8").toString("latin1") });
  expect(again.options.map(({ name, value }) => [name, value])).toEqual(plain.map(({ name, value }) => [name, value]));
}

it.each(readdirSync(corpus).sort())("kept file: %s", (name) => {
  attempt({ [main]: readFileSync(join(corpus, name), "latin1") });
});

it("generated files", { timeout }, () => {
  fc.assert(fc.property(anyFiles, attempt), { numRuns: inProportion(4_000), seed });
});

it("the files reach what they are for", () => {
  const outcomes = fc.sample(anyFiles, { numRuns: 1_000, seed }).map((files) => {
    try {
      readSettings(new Config(parse(files), "smmap"));
      return "a configuration";
    } catch (error) {
      return error instanceof Error ? error.message : "";
    }
  });
  const seen = [
    ...["a configuration", "included twice", "can't open", "invalid option name", "empty option value"],
    ...["specified twice", "invalid directive", "non-integer value", "non-switch value", "unparsable duration"],
    ...["configdirectory option not specified", "no store is configured"],
  ];
  expect(seen.filter((words) => !outcomes.some((outcome) => outcome.includes(words)))).toEqual([]);
});

const valid = "configdirectory: /var/lib/smmapd\nsmmap_store: sqlite\nsql_database: a.db\n";

it.each<[what: string, files: Files]>([
  ["a value of a mebibyte", { [main]: `${valid}smmap_listen: ${"x".repeat(2 ** 20)}\n` }],
  ["a name of a mebibyte", { [main]: `${valid}smmap_${"x".repeat(2 ** 20)}: y\n` }],
  ["words without end", { [main]: `${valid}smmap_listen: ${"x ".repeat(50_000)}\n` }],
  ["durations without end", { [main]: `${valid}smmap_idle_timeout: ${"1h".repeat(200_000)}x\n` }],
  ["a filter of parentheses", { [main]: `${valid}ldap_uri: ldap://a\nldap_filter: ${"(&".repeat(200_000)}\n` }],
  ["a filter of asterisks", { [main]: `${valid}ldap_uri: ldap://a\nldap_filter: (a=${"*".repeat(200_000)})\n` }],
  ["a query of parentheses", { [main]: `${valid}smmap_sql_query: SELECT ${"(".repeat(100_000)}\n` }],
  ["a query of parameters", { [main]: `${valid}smmap_sql_query: SELECT ${":user, ".repeat(50_000)} 1\n` }],
  ["a line of continuations", { [main]: `${valid}smmap_listen: ${"a-longer-part-of-it\\\n".repeat(50_000)}z\n` }],
  ["lines of nothing but backslashes", { [main]: `${valid}${"\\\\\\\\\\\\\\\\\n".repeat(50_000)}` }],
  ["a hundred thousand options", { [main]: valid + Array.from({ length: 100_000 }, (_, n) => `a${n}: b\n`).join("") }],
  [
    "mistyped options without end",
    { [main]: valid + Array.from({ length: 1_000 }, (_, n) => `smmap_${"xy".repeat(n % 50)}${n}: b\n`).join("") },
  ],
  [
    "files that include one another in a long row",
    {
      [main]: `${valid}@include: 0.inc\n`,
      ...Object.fromEntries(Array.from({ length: 20_000 }, (_, n) => [`${n}.inc`, `@include: ${n + 1}.inc\n`])),
    },
  ],
])("%s: done, or refused, and soon", (_, files) => {
  attempt(files);
});
