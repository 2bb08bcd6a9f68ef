/** The manual page of the program, held against the program; and how Markdown becomes roff. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { renderPage } from "../../../docs/man.ts";
import { exit } from "../../../src/io.ts";

const root = fileURLToPath(new URL("../../../", import.meta.url));
const read = (path: string) => readFileSync(join(root, path), "utf8");
const page = read("docs/smmapd.8.md");

/** The text below a heading, up to the next one. */
function section(heading: string): string {
  const [, text] = new RegExp(`^#+ ${heading}\n([\\s\\S]*?)(?=^#|(?![\\s\\S]))`, "m").exec(page) ?? [];
  if (text === undefined) throw new Error(`the page has no section ${heading}`);
  return text;
}

/** Terms of a list: what stands in bold before each explanation. */
function terms(heading: string): string[] {
  return [...section(heading).matchAll(/^- (.*)\\$/gm)].flatMap(([, line = ""]) =>
    [...line.matchAll(/\*\*([^*]+)\*\*/g)].map(([, term = ""]) => term),
  );
}

/** Options that a command takes, by its source. */
function optionsOf(command: string): string[] {
  return [...read(`src/commands/${command}.ts`).matchAll(/"(--?[\w-]+)": "(?:flag|value)"/g)].map(
    ([, name = ""]) => name,
  );
}

describe("smmapd(8)", () => {
  it("is in the order of the original", () => {
    const headings = [...page.matchAll(/^## (.*)$/gm)].map(([, heading]) => heading);
    const original = ["Synopsis", "Description", "Options", "Examples", "Files", "See also"];
    expect(headings.filter((heading) => original.includes(heading ?? ""))).toEqual(original);
  });

  it("shows the usage that the program shows", () => {
    const [, usage = ""] = /const usage = `usage: ([\s\S]*?)`;/.exec(read("src/commands/main.ts")) ?? [];
    const lines = usage
      .trim()
      .split("\n")
      .map((line) => line.trim());
    expect(section("Synopsis").trim().split("\n").slice(1, -1)).toEqual(lines);
  });

  it("has the options of the daemon, and no others", () => {
    expect(terms("Options").sort()).toEqual([...optionsOf("serve"), "--help", "-h", "--version"].sort());
  });

  it.each(["check", "conf", "purge", "status"])("has the options of %s, and no others", (command) => {
    expect(terms(`Options of ${command}`).sort()).toEqual(optionsOf(command).sort());
    const [line = ""] = section("Synopsis").match(new RegExp(`^smmapd ${command} .*$`, "m")) ?? [];
    for (const option of optionsOf(command)) expect(line).toMatch(new RegExp(`(?:\\[|\\| )${option}\\b`));
  });

  it("has the statuses that the program ends with", () => {
    const statuses = terms("Exit status").map(Number);
    expect(statuses).toEqual([...statuses].sort((a, b) => a - b));
    expect(new Set(statuses)).toEqual(new Set([1, ...Object.values(exit)]));
  });

  it("has the variables of the environment that are read, but for our own", () => {
    const files = readdirSync(join(root, "src"), { recursive: true, encoding: "utf8" });
    const code = files
      .filter((name) => name.endsWith(".ts"))
      .map((name) => read(join("src", name)))
      .join("\n");
    const variables = [...code.matchAll(/\benv\.([A-Z_]+)/g)].map(([, name = ""]) => name);
    const others = variables.filter((name) => !name.startsWith("SMMAPD_"));
    expect([...new Set(terms("Environment"))].sort()).toEqual([...new Set(others)].sort());
  });

  it("has the signals that are heeded", () => {
    const handled = [...read("src/daemon/signals.ts").matchAll(/"(SIG[A-Z]+)"/g)].map(([, name]) => name);
    expect(new Set(terms("Signals"))).toEqual(new Set(handled));
  });

  it("names defaults that are those of the program", () => {
    const observer = read("src/daemon/connection-observer.ts");
    expect(observer).toMatch(/MAX_USE = 250;/);
    expect(observer).toMatch(/REUSE_TIMEOUT = 60;/);
    expect(read("src/daemon/shutdown-sequence.ts")).toMatch(/IDLE_TIMEOUT_MAX = 360_000;/);
    expect(page).toMatch(/silent for 6 minutes\. By default 250 under master\(8\)/);
    expect(page).toMatch(/By default 60 under master\(8\)/);
  });
});

describe("roff", () => {
  /** What follows the head of a page. */
  function roffOf(markdown: string): string {
    const { roff } = renderPage(`# x(8): a test\n\n## First\n\n${markdown}`, "x 1");
    return roff.slice(roff.indexOf(".SH FIRST\n") + ".SH FIRST\n".length);
  }

  it("has a head that manual readers know", () => {
    const { name, section: number, roff } = renderPage("# some-thing(5): files of it\n\nText.\n", "it 1.0");
    expect([name, number]).toEqual(["some-thing", "5"]);
    expect(roff).toMatch(/^\.TH "SOME-THING" "5" "" "it 1\.0" ""\n/);
    expect(roff).toContain(".SH NAME\nsome\\-thing \\- files of it\n.SH DESCRIPTION\n.PP\nText.\n");
    expect(renderPage("# a(5): b\n\nText.\n", "", "other").name).toBe("other");
  });

  it.each([
    ["two\nlines", ".PP\ntwo\nlines\n"],
    ["`-C` **bold** _it_", ".PP\n\\fB\\-C\\fP \\fBbold\\fP \\fIit\\fP\n"],
    ["snake_case_name and 2*3*4", ".PP\nsnake_case_name and 2*3*4\n"],
    ["_default `yes`_", ".PP\n\\fIdefault yes\\fP\n"],
    ["[page](other.md), [site](https://a.test/)", ".PP\npage, site <https://a.test/>\n"],
    [".TH is no request", ".PP\n\\&.TH is no request\n"],
    ["'quoted'", ".PP\n\\(aqquoted\\(aq\n"],
    ["`a\\xNN` and \\*no\\*", ".PP\n\\fBa\\exNN\\fP and *no*\n"],
    ["`a b`", ".PP\n\\fBa\\ b\\fP\n"],
    ["### Sub", ".SS Sub\n"],
    ["- one\n- two\n  more", ".IP \\(bu 2\none\n.IP \\(bu 2\ntwo\nmore\n"],
    ["- **-T** _time_\\\n  Seconds.", ".TP\n\\fB\\-T\\fP \\fItime\\fP\nSeconds.\n"],
    ["```\na -b\n\n.c \\d\n```", ".PP\n.RS 4\n.nf\na \\-b\n\n\\&.c \\ed\n.fi\n.RE\n"],
  ])("of %j", (markdown, roff) => {
    expect(roffOf(markdown)).toBe(roff);
  });

  it.each(["| a | b |\n| - | - |", "> quoted", "1. first", "# another title", "#### deep"])(
    "is refused of what nobody has taught it: %j",
    (markdown) => {
      expect(() => roffOf(markdown)).toThrow("no such block");
    },
  );

  it("needs a title", () => {
    expect(() => renderPage("Text.\n", "")).toThrow("not the title of a manual page");
  });
});
