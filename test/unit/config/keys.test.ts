/** Compares the table of options with the manual page, with Cyrus' names, and with the code that reads the options. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { presets } from "../../../adapters/ldap/presets.ts";
import { cyrusOptions } from "../../../src/config/cyrus-options.ts";
import { keys } from "../../../src/config/keys.ts";
import type { KeyDefinition } from "../../../src/store/store.ts";
import { configOf } from "./config-of.ts";

const root = new URL("../../..", import.meta.url).pathname;

describe("names", () => {
  it("are unique", () => {
    const names = keys.map(({ name }) => name);
    expect(names).toEqual([...new Set(names)]);
  });

  it("of smmapd begin with smmap_, and the rest is not an option of Cyrus", () => {
    const ours = keys.filter(({ name }) => !cyrusOptions.has(name)).map(({ name }) => name);
    expect(ours.length).toBeGreaterThan(30);
    expect(ours.filter((name) => !name.startsWith("smmap_"))).toEqual([]);
    expect(ours.filter((name) => cyrusOptions.has(name.slice("smmap_".length)))).toEqual([]);
  });

  it("of Cyrus are complete", () => {
    expect(cyrusOptions.size).toBe(556);
    expect([...cyrusOptions]).toEqual([...cyrusOptions].sort());
    expect([...cyrusOptions].filter((name) => !/^[a-z0-9_]+$/.test(name) || name.startsWith("smmap"))).toEqual([]);
  });
});

describe("definitions", () => {
  it.each(keys)("$name has a default that is valid for its type", ({ name, type, default: value }) => {
    const config = configOf("");
    if (name === "configdirectory") expect(value).toBeNull();
    else if (value === null && type !== "string" && type !== "path")
      expect(() => config[type](name)).toThrow("required");
    else expect(() => config[type](name)).not.toThrow();
  });

  it("have words if and only if they are a choice", () => {
    expect(keys.filter(({ type, values }) => (type === "choice") !== (values !== undefined))).toEqual([]);
  });

  it("of passwords are secret", () => {
    const secret = keys.filter((key) => key.secret).map(({ name }) => name);
    expect(secret.sort()).toEqual(["ldap_password", "proxy_password", "smmap_imap_password"]);
  });

  it("list all presets", () => {
    expect(keys.find(({ name }) => name === "smmap_ldap_preset")?.values).toEqual(Object.keys(presets));
  });

  it("are all read by the program", () => {
    const files = ["src", "adapters"].flatMap((folder) =>
      readdirSync(join(root, folder), { recursive: true, encoding: "utf8" }).map((name) => join(folder, name)),
    );
    const readers = files.filter((name) => name.endsWith(".ts") && !/(?:\/keys[-.]|cyrus-options)/.test(name));
    const code = readers.map((name) => readFileSync(join(root, name), "utf8")).join("\n");
    expect(keys.map(({ name }) => name).filter((name) => !code.includes(`"${name}"`))).toEqual([]);
  });
});

describe("the manual page", () => {
  const page = readFileSync(join(root, "docs/imapd.conf.5.md"), "utf8");
  const sections = page.split(/\n(?=#{2,3} )/).filter((section) => section.startsWith("### "));
  const documented = new Map(
    sections.map((section) => {
      const [heading = "", kind = "", text = ""] = section.trim().split("\n\n");
      return [heading.slice("### ".length), { kind: unwrap(kind), text: unwrap(text) }];
    }),
  );

  it("has all options, in the same order, and no others", () => {
    expect([...documented.keys()]).toEqual(keys.map(({ name }) => name));
  });

  it.each(keys)("has the text of $name as in the table", (key) => {
    expect(documented.get(key.name)).toEqual({ kind: kindOf(key), text: key.text });
  });

  it("lists the deprecated names that work", () => {
    const older = [...page.matchAll(/`([a-z_]+)` \((?:now )?`([a-z_]+)`\)|`([a-z_]+)`\n?\s?\(`([a-z_]+)`\)/g)];
    const pairs = older.map((match) => [match[1] ?? match[3] ?? "", match[2] ?? match[4] ?? ""] as const);
    const config = configOf(pairs.map(([name]) => `${name}: 1\n`).join(""));
    expect(pairs).toHaveLength(11);
    expect(pairs.filter(([, name]) => !config.isSet(name))).toEqual([]);
    expect(config.warnings().filter((warning) => warning.includes("deprecated"))).toHaveLength(11);
  });

  it("has an example that works", () => {
    const example = /```\n([\s\S]*?)```/.exec(page)?.[1] ?? "";
    const config = configOf(example.replace(/^configdirectory.*\n/, ""));
    expect(config.choice("virtdomains")).toBe("userid");
    expect(config.warnings()).toEqual([]);
  });
});

/** The line below a heading of the manual page. */
function kindOf({ type, values, default: value, secret }: KeyDefinition): string {
  const kind = values === undefined ? type : `choice of ${values.map((word) => `\`${word}\``).join(", ")}`;
  const initial = value === null ? "no default" : value === "" ? "empty by default" : `default \`${value}\``;
  return `_${secret ? "secret " : ""}${kind}; ${initial}_`;
}

function unwrap(paragraph: string): string {
  return paragraph.replaceAll("\n", " ");
}
