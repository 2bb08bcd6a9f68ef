/**
 * The store of docs/writing-a-store.md, word for word, as a third party would have it: outside of the tree, beside the
 * package as npm would publish it, type-checked against its declarations, put through the suite by node's own runner.
 */
import { execFile } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, it } from "vitest";

const root = fileURLToPath(new URL("../../", import.meta.url));
const guide = readFileSync(join(root, "docs/writing-a-store.md"), "utf8");
/** Nothing that belongs to the run of these tests, such as NODE_OPTIONS and the context of a test runner. */
const environment = { PATH: process.env.PATH ?? "", HOME: tmpdir() };

interface Outcome {
  readonly status: number;
  readonly output: string;
}

let directory: string;

/** Code blocks of the guide in one language, in their order. */
function blocks(language: string): string[] {
  return [...guide.matchAll(/^```(.*)\n([\s\S]*?)^```$/gm)]
    .filter(([, found]) => found === language)
    .map(([, , code = ""]) => code);
}

/** Runs a program in the third party's folder. */
function run(file: string, args: readonly string[], cwd = directory): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    execFile(file, args, { cwd, env: environment, timeout: 100_000 }, (error, stdout, stderr) => {
      const status = error === null ? 0 : error.code;
      if (typeof status === "number") resolve({ status, output: stdout + stderr });
      else reject(error);
    });
  });
}

async function succeed(file: string, args: readonly string[], cwd = directory): Promise<string> {
  const { status, output } = await run(file, args, cwd);
  expect(status, output).toBe(0);
  return output;
}

function check(...words: string[]): Promise<Outcome> {
  return run(process.execPath, ["node_modules/smmapd/dist/src/main.js", "check", "-C", "imapd.conf", ...words]);
}

/** Compiles what is published, apart from the tree's own dist, and has npm pack it. @returns path of the tarball */
async function pack(): Promise<string> {
  const staging = join(directory, "staging");
  mkdirSync(staging);
  const tsconfig = {
    extends: join(root, "tsconfig.json"),
    compilerOptions: { rootDir: root, outDir: join(staging, "dist"), typeRoots: [join(root, "node_modules/@types")] },
    include: ["src", "adapters"].map((path) => join(root, path)),
  };
  writeFileSync(join(staging, "tsconfig.json"), JSON.stringify(tsconfig));
  await succeed(join(root, "node_modules/.bin/tsc"), ["-p", staging]);
  for (const path of ["package.json", "README.md", "CHANGELOG.md", "LICENSE", "docs", "adapters/sqlite/schema.sql"]) {
    cpSync(join(root, path), join(staging, path), { recursive: true });
  }
  // The script that builds has nothing to build here.
  const listing = await succeed(
    "npm",
    ["pack", "--ignore-scripts", "--silent", "--pack-destination", directory],
    staging,
  );
  return join(directory, listing.trim().split("\n").at(-1) ?? "");
}

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), "smmapd-third-party-"));
  const tarball = await pack();
  // No dependency is needed for a store that needs none, so unpacking is installing.
  const installed = join(directory, "node_modules/smmapd");
  mkdirSync(installed, { recursive: true });
  await succeed("tar", ["-xzf", tarball, "-C", installed, "--strip-components=1"]);
  const [adapter = "", network = "", suite = ""] = blocks("js");
  const [imapdConf = ""] = blocks("");
  writeFileSync(join(directory, "package.json"), JSON.stringify({ name: "third-party", type: "module" }));
  writeFileSync(join(directory, "textfile.js"), adapter);
  writeFileSync(join(directory, "network.js"), network);
  writeFileSync(join(directory, "textfile.test.js"), suite);
  // Started by root, the command would become the user cyrus, which the machine lacks and the folder is closed to.
  const conf = `${imapdConf.replace("/var/lib/smmapd", directory)}smmap_user: root\n`;
  writeFileSync(join(directory, "imapd.conf"), conf);
  writeFileSync(join(directory, "addresses"), "anna@village.example\nhugo@hill.example\n");
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

it("passes the suite of the packed package under node:test", async () => {
  const { status, output } = await run(process.execPath, ["--test", "--test-reporter=tap", "textfile.test.js"]);
  expect(status, output).toBe(0);
  expect(output).toMatch(/returns the facts of every mailbox/);
  expect(output).toMatch(/rejects while the backend is down, and recovers afterwards/);
  expect(output).toMatch(/^# fail 0$/m);
});

it("is noticed by that suite when it takes a missing file for an empty list", async () => {
  const broken = readFileSync(join(directory, "textfile.js"), "utf8").replace(
    /throw new StoreError\(.*\);/,
    'return "";',
  );
  const copy = join(directory, "broken");
  mkdirSync(copy);
  writeFileSync(join(copy, "textfile.js"), broken);
  cpSync(join(directory, "textfile.test.js"), join(copy, "textfile.test.js"));
  const { status, output } = await run(process.execPath, ["--test", "--test-reporter=tap", "textfile.test.js"], copy);
  expect(status).toBe(1);
  expect(output).toMatch(/not ok \d+ - rejects while the backend is down/);
});

it("agrees with the declarations of the packed package", async () => {
  const options = [
    "--noEmit",
    "--checkJs",
    "--strict",
    "--target",
    "es2022",
    "--module",
    "nodenext",
    "--types",
    "node",
  ];
  const types = ["--typeRoots", join(root, "node_modules/@types")];
  await succeed(join(root, "node_modules/.bin/tsc"), [
    ...options,
    ...types,
    "textfile.js",
    "textfile.test.js",
    "network.js",
  ]);
});

it("can import everything that the manual lists of the kit", async () => {
  const [, table = ""] = /## The kit\n([\s\S]*?)```/.exec(guide) ?? [];
  const names = [...table.matchAll(/^\| (`.*`) +\|/gm)].flatMap(([, cell = ""]) =>
    [...cell.matchAll(/`(\w+)`/g)].map(([, name = ""]) => name),
  );
  const script = 'import * as kit from "smmapd/store-kit"; console.log(JSON.stringify(Object.keys(kit).sort()))';
  const listed = await succeed(process.execPath, ["--input-type=module", "--eval", script]);
  expect(names.sort()).toEqual(JSON.parse(listed));
});

it("answers through smmapd check, named by its path", async () => {
  const { status, output } = await check("anna@village.example", "hugo+Lists@hill.example", "nobody@village.example");
  expect(output.split("\n")).toEqual([
    "anna@village.example: OK anna@village.example",
    "hugo+Lists@hill.example: OK hugo+Lists@hill.example",
    "nobody@village.example: NOTFOUND Mailbox does not exist",
    "",
  ]);
  expect(status).toBe(1);
});

it("answers as a package, named by its name", async () => {
  const folder = join(directory, "node_modules/smmapd-textfile");
  mkdirSync(folder);
  writeFileSync(
    join(folder, "package.json"),
    '{ "name": "smmapd-textfile", "type": "module", "exports": "./textfile.js" }',
  );
  cpSync(join(directory, "textfile.js"), join(folder, "textfile.js"));
  const conf = join(directory, "imapd.conf");
  const byPath = readFileSync(conf, "utf8");
  writeFileSync(conf, byPath.replace("./textfile.js", "smmapd-textfile"));
  try {
    const { status, output } = await check("anna@village.example");
    expect(output).toBe("anna@village.example: OK anna@village.example\n");
    expect(status).toBe(0);
  } finally {
    writeFileSync(conf, byPath);
  }
});

it("defers while its file is away", async () => {
  const addresses = join(directory, "addresses");
  renameSync(addresses, `${addresses}.away`);
  try {
    const { status, output } = await check("anna@village.example", "nobody@village.example");
    expect(output).toMatch(/^anna@village\.example: TEMP /m);
    expect(output).toMatch(/^nobody@village\.example: TEMP /m);
    expect(output).toContain(`textfile: cannot read ${addresses}`);
    expect(status).toBe(75);
  } finally {
    renameSync(`${addresses}.away`, addresses);
  }
});

it("does not start without its option, and says which one", async () => {
  const conf = join(directory, "imapd.conf");
  const whole = readFileSync(conf, "utf8");
  writeFileSync(conf, whole.replace(/^smmap_textfile_path.*\n/m, ""));
  try {
    const { status, output } = await check("anna@village.example");
    expect(output).toMatch(/smmap_textfile_path.*name the file with the addresses/);
    expect(status).toBe(78);
  } finally {
    writeFileSync(conf, whole);
  }
});
