import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { parseImapdConf, readImapdConf } from "../../../src/config/imapd-conf.ts";
import { ConfigError } from "../../../src/store/store.ts";
import { configErrorOf, type Files, parse } from "./config-of.ts";

/** Options as "name=value@line". */
function options(files: string | Files): string[] {
  return parse(files).options.map(({ name, value, line }) => `${name}=${value}@${line}`);
}

describe("physical and logical lines", () => {
  it.each<[title: string, text: string, options: string[]]>([
    ["plain", "a: b\nc: d\n", ["a=b@1", "c=d@2"]],
    ["no newline at the end", "a: b", ["a=b@1"]],
    ["empty lines and comments", "\n  \n# c: d\n \t# e: f\na: b\n", ["a=b@5"]],
    ["an empty file", "", []],
    ["CR LF", "a: b\r\nc: d\r\n", ["a=b@1", "c=d@2"]],
    ["a continuation keeps the leading blanks and adds none", "a: b\\\n  c\n", ["a=b  c@2"]],
    ["a continuation in a word", "a: b\\\nc\n", ["a=bc@2"]],
    ["a continuation in a name", "ab\\\nc: d\n", ["abc=d@2"]],
    ["a continued comment line is data", "a: b\\\n# c\ne: f\n", ["a=b# c@2", "e=f@3"]],
    ["a comment includes the next line", "# a \\\nb: c\nd: e\n", ["d=e@3"]],
    ["a continued last line is lost", "a: b\nc: d\\\n", ["a=b@1"]],
    ["a backslash at the end of the file stays", "a: b\\", ["a=b\\@1"]],
    ["a backslash before blanks stays", "a: b\\ \nc: d\n", ["a=b\\@1", "c=d@2"]],
    ["a backslash before CR LF stays", "a: b\\\r\nc: d\r\n", ["a=b\\@1", "c=d@2"]],
    ["the backslash of an earlier line continues over an empty one", "a: b\\\\\n\nc\n", ["a=bc@3"]],
    ["a NUL ends the line", "a: b\0c\nd: e\0\\\nf: g\n", ["a=b@1", "d=e@2", "f=g@3"]],
    ["a backslash before a NUL continues nothing", "a: b\\\0c\nd: e\n", ["a=b\\@1", "d=e@2"]],
    ["a long line", `a: ${"b".repeat(100_000)}\n`, [`a=${"b".repeat(100_000)}@1`]],
    ["continuations without end", `a: ${"b\\\n".repeat(100_000)}c\n`, [`a=${"b".repeat(100_000)}c@100001`]],
    ["lines are counted inside continuations", "a: \\\n\\\nb\nc: d\n", ["a=b@3", "c=d@4"]],
  ])("%s", (_, text, expected) => {
    expect(options(text)).toEqual(expected);
  });
});

describe("options", () => {
  it.each<[text: string, value: string]>([
    ["postuser: bb # the user", "bb # the user"],
    ["  postuser:\tbb cc  ", "bb cc"],
    ["postuser:bb", "bb"],
    ['postuser: ""', '""'],
    ["postuser: \v\f\r\tbb\v\f\r", "bb"],
    ["PostUser: Z", "Z"],
    ["postuser: a:b", "a:b"],
    ["postuser: \xa0", "\xa0"],
    ["postuser: \xc3\xa4\xe2\x82\xac", "ä€"],
    ["postuser: \xe4", "ä"],
  ])("%j sets postuser to %j", (text, value) => {
    expect(parse(text).options).toEqual([{ name: "postuser", value, file: "imapd.conf", line: 1 }]);
  });

  it.each([
    "postuser : z",
    "postuser z",
    "post.user: z",
    "postuser",
    ": z",
    "pöstuser: z",
    "\xef\xbb\xbfpostuser: z",
    "\xef\xbb\xbf# z",
    "a: b\\\r\n c\r\n",
    "@@include: z",
    "post@user: z",
  ])("%j has no option name", (text) => {
    const line = text.includes("\n") ? 2 : 1;
    expect(configErrorOf(() => parse(text))).toMatch(
      new RegExp(`^invalid option name on line ${line} of configuration file imapd\\.conf \\(`),
    );
  });

  it("the error names a byte order mark", () => {
    expect(configErrorOf(() => parse("\xef\xbb\xbfa: b"))).toContain("byte order mark");
  });

  it.each(["postuser:", "postuser: \t ", "x: y\\\n\npostuser:", "@foo:"])("%j has an empty value", (text) => {
    const line = text.split("\n").length;
    expect(configErrorOf(() => parse(text))).toMatch(
      new RegExp(`^empty option value on line ${line} of configuration file imapd\\.conf \\(`),
    );
  });

  it.each(["@foo: x", "@: x", "@includes: x"])("%j is not a directive", (text) => {
    expect(configErrorOf(() => parse(`\n${text}`))).toBe(
      "invalid directive on line 2 of configuration file imapd.conf",
    );
  });
});

describe("@include", () => {
  it("reads the file at that point, with its own line numbers", () => {
    const files = { "imapd.conf": "a: 1\n@Include: x/y\nd: 4\n", "x/y": "\nb: 2\n@include: z\n", z: "c: 3" };
    expect(parse(files).options).toEqual([
      { name: "a", value: "1", file: "imapd.conf", line: 1 },
      { name: "b", value: "2", file: "x/y", line: 2 },
      { name: "c", value: "3", file: "z", line: 1 },
      { name: "d", value: "4", file: "imapd.conf", line: 3 },
    ]);
  });

  it.each<[title: string, files: Files, error: string]>([
    ["the same twice", { "imapd.conf": "@include: a\n@include: a\n", a: "" }, "a included twice"],
    ["itself", { "imapd.conf": "@include: imapd.conf\n" }, "imapd.conf included twice"],
    ["each other", { "imapd.conf": "@include: a\n", a: "@include: b\n", b: "@include: a\n" }, "a included twice"],
  ])("refuses %s", (_, files, error) => {
    expect(configErrorOf(() => parse(files))).toBe(`configuration file ${error}`);
  });

  it("refuses includes that are nested without end", () => {
    const row = Array.from({ length: 200 }, (_, n) => [`${n}`, `#\n@include: ${n + 1}\n`]);
    const error = configErrorOf(() => parse({ "imapd.conf": "@include: 0\n", ...Object.fromEntries(row) }));
    expect(error).toBe("includes are nested too deep on line 2 of configuration file 99");
  });

  it("names the included file in errors", () => {
    const error = configErrorOf(() => parse({ "imapd.conf": "@include: a\n", a: "\nb c\n" }));
    expect(error).toMatch(/^invalid option name on line 2 of configuration file a /);
  });
});

describe("a warning is given for", () => {
  it.each<[text: string, warning: string]>([
    ["# a \\\nb: c\n", "imapd.conf:2: a comment that ends in a backslash includes the next line"],
    ["a: b\\\n", "imapd.conf:1: the file ends in a backslash, so its last option is lost"],
    ["a: b\\\r\nc: d\r\n", "imapd.conf:1: a backslash before CR LF does not continue the line"],
    ["a: b # c\n", 'imapd.conf:1: "#" within a line begins no comment, it is part of the value'],
    ["a: \xe4\n", "imapd.conf:1: this is not UTF-8, so it is read as ISO 8859-1"],
  ])("%j", (text, warning) => {
    expect(parse(text).warnings).toEqual([warning]);
  });

  it.each(["a: b#c\n", "# a # b\n", "a: b\\\n c\n", "# \xe4\n", "# a\\", "a: ä\n"])("not %j", (text) => {
    const bytes = Buffer.from(text, text.includes("ä") ? "utf8" : "latin1").toString("latin1");
    expect(parse(bytes).warnings).toEqual([]);
  });
});

describe("files", () => {
  let folder = "";
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "imapd-conf-"));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  function write(name: string, text: string, mode = 0o640): string {
    const path = join(folder, name);
    mkdirSync(join(path, ".."), { recursive: true });
    writeFileSync(path, text);
    chmodSync(path, mode);
    return path;
  }

  it("are read from disk, relative paths from the current directory", () => {
    const included = relative(process.cwd(), write("a/b.inc", "b: 2\n"));
    const file = write("c/imapd.conf", `a: 1\n@include: ${included}\n`);
    expect(readImapdConf(file, undefined).options.map(({ file, value }) => [file, value])).toEqual([
      [file, "1"],
      [included, "2"],
    ]);
  });

  it("that everybody may read are marked", () => {
    const included = write("b.inc", "b: 2\n", 0o644);
    const file = write("imapd.conf", `a: 1\n@include: ${included}\n`);
    expect([...readImapdConf(file, undefined).worldReadable]).toEqual([included]);
  });

  it.each([
    ["imapd.conf", "No such file or directory"],
    ["", "Illegal operation on a directory"],
  ])("that cannot be read are an error (%j)", (name, reason) => {
    const file = join(folder, name);
    expect(configErrorOf(() => readImapdConf(file, undefined))).toBe(
      `can't open configuration file ${file}: ${reason}`,
    );
  });

  it("are opened below CYRUS_PREFIX first, then without it", () => {
    const plain = write("b.inc", "b: plain\n");
    write(`prefix${plain}`, "b: prefixed\n");
    const file = write("imapd.conf", `@include: ${plain}\n`);
    const values = (prefix: string | undefined) => readImapdConf(file, prefix).options.map(({ value }) => value);
    expect(values(undefined)).toEqual(["plain"]);
    expect(values(join(folder, "prefix"))).toEqual(["prefixed"]);
    expect(values(join(folder, "elsewhere"))).toEqual(["plain"]);
  });
});

describe("any octets", () => {
  const line = fc.stringMatching(/^[a-c@ :#\\\r\t\0_\xe4-]{0,12}$/);
  const text = fc.oneof(
    fc.array(line).map((lines) => lines.join("\n")),
    fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes).toString("latin1")),
  );

  it("are read or refused with a ConfigError, and every value is part of the text", () => {
    fc.assert(
      fc.property(text, (bytes) => {
        try {
          const { options } = parse(bytes);
          const joined = bytes.replaceAll("\\\n", "");
          for (const { name, value } of options) {
            expect(name).toMatch(/^[a-z0-9_-]+$/);
            expect(value).toBe(value.replace(/^[ \t\n\v\f\r]+|[ \t\n\v\f\r]+$/g, ""));
            const written = [value, Buffer.from(value, "utf8").toString("latin1")];
            if (!joined.includes("\\\n")) expect(written.some((bytes) => joined.includes(bytes))).toBe(true);
          }
        } catch (error) {
          if (!(error instanceof ConfigError)) throw error;
        }
      }),
      { numRuns: 2000 },
    );
  });

  it("take time in proportion to their number", () => {
    const blanks = " ".repeat(1_000_000);
    const { options } = parseImapdConf("f", () => ({ bytes: `a: b${blanks}c${blanks}\n`, isWorldReadable: false }));
    expect(options[0]?.value).toHaveLength(1_000_002);
  });
});
