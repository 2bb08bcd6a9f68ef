import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough, Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { main } from "../../../src/commands/main.ts";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "conf-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

function write(name: string, content: string, mode = 0o600): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  chmodSync(path, mode);
  return path;
}

/** Runs `smmapd conf` with these arguments, or on a file with these lines. */
async function run(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const stdout = new PassThrough();
  const stderr = new PassThrough();
  const status = await main(["conf", ...args], { stdin: Readable.from([]), stdout, stderr, env });
  stdout.end();
  stderr.end();
  return { status, out: await text(stdout), err: await text(stderr) };
}

function conf(lines: string, ...args: readonly string[]) {
  return run(["-C", write("imapd.conf", `configdirectory: ${folder}\n${lines}`), ...args]);
}

const sqlite = "smmap_store: sqlite\nsql_database: a.db\n";

describe("smmapd conf", () => {
  it("shows options that are set and options that are not", async () => {
    const { status, out, err } = await conf(
      `${sqlite}smmap_virtdomains: yes\nproxy_password: hunter2\npostuser: \x1b[7m\n`,
    );
    expect(err).toBe("");
    expect(status).toBe(0);
    const [set = "", defaults = ""] = out.split("\n\n");
    const rows = set.split("\n").map((line) => line.trim().split(/\s{2,}/));
    const file = join(folder, "imapd.conf");
    expect(rows).toEqual([
      ["Set in the file"],
      ["configdirectory", folder, `${file}:1`],
      ["virtdomains", "yes", `${file}:4 (service override)`],
      ["postuser", "\\x1b[7m", `${file}:6`],
      ["smmap_store", "sqlite", `${file}:2`],
      ["sql_database", `${folder}/a.db`, `${file}:3`],
      ["proxy_password", "********", `${file}:5`],
    ]);
    expect(
      new Set(
        set
          .split("\n")
          .slice(1)
          .map((line) => line.indexOf(folder, 20)),
      ),
    ).toHaveProperty("size", 2);
    expect(defaults).toMatch(/^Defaults\n/);
    expect(defaults).toMatch(/\n {2}smmap_query_timeout +4s\n/);
    expect(defaults).toMatch(/\n {2}ldap_password +\(unset\)\n/);
    expect(defaults).toMatch(/\n {2}ldap_base +\(empty\)\n/);
  });

  it("shows the values of a preset in place of defaults", async () => {
    const { out } = await conf("ldap_uri: ldap://a\nsmmap_ldap_preset: qmail\nldap_user_attribute: cn\n");
    const [, defaults = ""] = out.split("\n\n");
    expect(defaults).toMatch(/\n {2}ldap_filter +\(&\(objectClass=qmailUser\).* preset qmail\n/);
    expect(defaults).toMatch(/\n {2}smmap_ldap_quota_unit +b +preset qmail\n/);
    expect(defaults).toMatch(/\n {2}ldap_scope +sub\n/);
    expect(defaults).not.toContain("ldap_user_attribute");
    const { out: own } = await conf("ldap_uri: ldap://a\nsmmap_ldap_preset: custom\n");
    expect(own).toMatch(/\n {2}ldap_filter +\(uid=%u\)\n/);
  });

  it("prints warnings, and fails with --strict", async () => {
    const lines = `${sqlite}smmap_qury_timeout: 3s\npostuser: bb # me\n# \\\nldap_servers: ldap://a\n`;
    const { status, out } = await conf(lines);
    const file = join(folder, "imapd.conf");
    expect(status).toBe(0);
    expect(
      out
        .trim()
        .split("\n")
        .filter((line) => line.startsWith("warning: ")),
    ).toEqual([
      `warning: ${file}:5: "#" within a line begins no comment, it is part of the value`,
      `warning: ${file}:7: a comment that ends in a backslash includes the next line`,
      `warning: ${file}:4: unknown option smmap_qury_timeout; did you mean smmap_query_timeout?`,
    ]);
    expect((await conf(lines, "--strict")).status).toBe(78);
    expect((await conf(sqlite, "--strict")).status).toBe(0);
  });

  it("warns of a secret that everybody can read", async () => {
    const path = write("imapd.conf", `configdirectory: ${folder}\n${sqlite}proxy_password: hunter2\n`, 0o644);
    const { out } = await run(["-C", path]);
    expect(out).toContain(
      `warning: ${path}:4: every user of this machine can read proxy_password; chmod o-r ${path}\n`,
    );
    expect(out).not.toContain("hunter2");
  });

  it("reports every error at once, and shows the other options", async () => {
    const { status, out, err } = await conf(`${sqlite}smmap_pool_size: 1k\nldap_timeout: 5 s\nsmmap_listen: nowhere\n`);
    expect(status).toBe(78);
    expect(out).toContain("Set in the file");
    const problems = err.trim().split("\n");
    expect(problems).toHaveLength(3);
    expect(problems[0]).toMatch(/^smmapd: non-integer value for smmap_pool_size in line 4 of configuration file /);
    expect(problems[1]).toMatch(/^smmapd: unparsable duration '5 s' for ldap_timeout in line 5 of configuration file /);
    expect(problems[2]).toMatch(/imapd\.conf:6: smmap_listen: nowhere: nowhere is no port number/);
  });

  it("reports an error once", async () => {
    const { err } = await conf(`${sqlite}smmap_query_timeout: x\n`);
    expect(err.trim().split("\n")).toHaveLength(1);
  });

  it("shows errors that the store finds", async () => {
    const module = `
      export const adapter = {
        name: "mine",
        keys: [{ name: "smmap_mine_colour", type: "choice", values: ["red", "blue"], default: "red", text: "A colour." }],
        parse(config) {
          config.warn("smmap_mine_colour", "is a matter of taste");
          if (config.choice("smmap_mine_colour") === "blue") throw config.error("smmap_mine_colour", "is out of stock");
        },
        open() { throw new Error("conf opens nothing"); },
      };`;
    write("mine.mjs", module);
    const red = await conf("smmap_store: ./mine.mjs\nsmmap_mine_colour: red\n");
    expect(red).toMatchObject({ status: 0, err: "" });
    expect(red.out).toMatch(/\n {2}smmap_mine_colour +red +\S+imapd\.conf:3\n/);
    expect(red.out).toMatch(/\nwarning: \S+imapd\.conf:3: smmap_mine_colour: is a matter of taste \(value 'red'\)\n/);
    const blue = await conf("smmap_store: ./mine.mjs\nsmmap_mine_colour: blue\n");
    expect(blue.status).toBe(78);
    expect(blue.err).toMatch(/^smmapd: \S+imapd\.conf:3: smmap_mine_colour: is out of stock \(value 'blue'\)\n$/);
  });

  it.each([
    [
      "a module without an adapter",
      "smmap_store: ./empty.mjs\n",
      'the module exports no "adapter" with parse and open',
    ],
    [
      "a module with an error",
      "smmap_store: ./mistaken.mjs\n",
      "mistaken.mjs cannot be loaded: ReferenceError: nobody",
    ],
    ["a module that wants another", "smmap_store: ./wanting.mjs\n", "Cannot find package 'no-such-package' (value"],
    ["a folder", "smmap_store: ./\n", "cannot be loaded: Error"],
    ["no store at all", "", "smmap_store: no store is configured"],
    ["what its store refuses", "smmap_store: sqlite\n", "sql_database"],
  ])("refuses %s", async (_, lines, error) => {
    write("empty.mjs", "");
    write("mistaken.mjs", "nobody();");
    write("wanting.mjs", 'import "no-such-package";');
    const { status, err } = await conf(lines);
    expect(status).toBe(78);
    expect(err).toContain(error);
    expect(err).not.toContain("registry");
  });

  it("names the path of a store that does not exist", async () => {
    const file = join(folder, "imapd.conf");
    expect((await conf("smmap_store: ./none.mjs\n")).err).toBe(
      `smmapd: ${file}:2: smmap_store: there is no file ${folder}/none.mjs (value './none.mjs')\n`,
    );
    const { status, err } = await conf("smmap_store: sqlit\n");
    expect(status).toBe(78);
    expect(err).toContain(
      `${file}:2: smmap_store: there is no such store (sqlite, ldap, imap), and no such package in `,
    );
    expect(err).toMatch(new RegExp(`node_modules of /\\S+, of ${folder}, or above them \\(value 'sqlit'\\)\n$`));
  });

  it("uses the environment", async () => {
    const path = write("imapd.conf", `configdirectory: ${folder}\n${sqlite}second_postuser: bb\n`);
    const { out } = await run(["-C", path], { CYRUS_SERVICE: "second" });
    expect(out).toMatch(/postuser +bb +\S+:4 \(service override\)/);
  });

  it.each([
    ["a missing file", "none.conf", "can't open configuration file"],
    ["a broken file", "broken.conf", "invalid option name on line 1"],
    ["a file without configdirectory", "empty.conf", "configdirectory option not specified"],
  ])("fails on %s", async (_, name, error) => {
    write("broken.conf", "a b\n");
    write("empty.conf", "");
    const { status, out, err } = await run(["-C", join(folder, name)]);
    expect({ status, out }).toEqual({ status: 78, out: "" });
    expect(err).toContain(error);
  });

  it.each([[["-C"]], [["-Cfile"]], [["--loose"]], [["word"]]])("refuses %j", async (args) => {
    const { status, err } = await run(args);
    expect(status).toBe(64);
    expect(err).toContain("usage: ");
  });
});
