/** docs/store-ldap.md says what the program does. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { ldapKeys } from "../../../adapters/ldap/keys.ts";
import { presets } from "../../../adapters/ldap/presets.ts";
import { parseLdapConf } from "../../../fixtures/servers/ldap-store.ts";
import { chooseStore } from "../../../src/config/store-choice.ts";

const page = readFileSync(new URL("../../../docs/store-ldap.md", import.meta.url), "utf8");

/** The lines of each example of an imapd.conf. */
const examples = [...page.matchAll(/```\n(configdirectory:[^`]*)```/g)].map(([, text = ""]) => {
  return Object.fromEntries(
    text
      .trimEnd()
      .split("\n")
      .map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 1).trim()]),
  );
});

describe("the page of the ldap store", () => {
  it("has an example for every preset", () => {
    const shown = new Set(examples.map((example) => example.smmap_ldap_preset));
    expect([...shown].sort()).toEqual(Object.keys(presets).sort());
  });

  it.each(examples.map((example, i) => [i, example.smmap_ldap_preset, example] as const))(
    "has an example %i (%s) that works",
    (_, _preset, { configdirectory, ...conf }) => {
      expect(configdirectory).toBe("/var/lib/smmapd");
      const { config } = parseLdapConf(conf);
      expect(chooseStore(config).name).toBe("ldap");
      expect(config.warnings().filter((line) => line.includes("unknown option"))).toEqual([]);
    },
  );

  it("tells of every option", () => {
    const told = [...page.matchAll(/\*\*([a-z_]+)\*\*/g)].map(([, name]) => name);
    const missing = ldapKeys.map(({ name }) => name).filter((name) => !told.includes(name));
    expect(missing.filter((name) => name !== "ldap_realm")).toEqual([]);
  });
});
