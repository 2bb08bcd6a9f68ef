/**
 * What cyr_info of Cyrus 3.6.1 (`-n smmap conf-all`) made of random files: its fatal error, or the options that differ
 * from their defaults. Text is one character per octet; every file began with a line that set configdirectory.
 */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { Config } from "../../../src/config/config.ts";
import { ConfigError, type KeyDefinition } from "../../../src/store/store.ts";
import { parse } from "./config-of.ts";

interface Recorded {
  readonly conf: string;
  readonly fatal?: string;
  readonly values?: Readonly<Record<string, string>>;
}

const lines = readFileSync(new URL("cyrus-3.6.1.jsonl", import.meta.url), "utf8")
  .trim()
  .split("\n");
const recorded = lines.map((line) => JSON.parse(line) as Recorded);

/** Options of Cyrus that smmapd does not read. */
const others: readonly KeyDefinition[] = [
  { name: "admins", type: "string", default: "", text: "" },
  { name: "userprefix", type: "string", default: "Other Users", text: "" },
  { name: "sharedprefix", type: "string", default: "Shared Folders", text: "" },
];

function load(conf: string): Config {
  const included = { "i.inc": "userprefix: inc\n", "j.inc": "# nothing\n@include: i.inc\n" };
  return new Config(parse({ "imapd.conf": `configdirectory: /tmp/xx\n${conf}`, ...included }), "smmap", others);
}

/** Values as cyr_info shows them. */
function values(config: Config): Record<string, string> {
  const shown: Record<string, string> = {
    virtdomains: config.choice("virtdomains"),
    ldap_deref: config.choice("ldap_deref"),
    ldap_size_limit: String(config.integer("ldap_size_limit")),
    unixhierarchysep: config.switch("unixhierarchysep") ? "yes" : "no",
    ldap_sasl: config.switch("ldap_sasl") ? "yes" : "no",
  };
  for (const key of ["postuser", "admins", "sharedprefix", "userprefix", "ldap_uri"]) {
    shown[key] = Buffer.from(config.string(key) ?? "", "utf8").toString("latin1");
  }
  return shown;
}

describe("what Cyrus understood", () => {
  it.each(recorded.filter(({ fatal }) => fatal === undefined))("$conf", ({ conf, values: changed }) => {
    expect(values(load(conf))).toEqual({ ...values(load("")), ...changed });
  });
});

describe("what Cyrus refused", () => {
  it.each(recorded.filter(({ fatal }) => fatal !== undefined))("$conf", ({ conf, fatal = "" }) => {
    const found = errors(conf);
    expect(found).not.toEqual([]);
    // Cyrus checks types and repetitions line by line, smmapd after the syntax, so another error may come first.
    const isLate = /^(?:non-|invalid value|unparsable|option )/.test(fatal);
    if (!isLate) expect(found.map(words)).toContain(words(fatal));
  });
});

function errors(conf: string): readonly string[] {
  try {
    return load(conf)
      .effective()
      .flatMap(({ problem }) => problem ?? []);
  } catch (error) {
    if (error instanceof ConfigError) return [error.message];
    throw error;
  }
}

/** A message without the added hint and without the name of the file. */
function words(message: string): string {
  return message.replace(/ of configuration file.*/, "");
}
