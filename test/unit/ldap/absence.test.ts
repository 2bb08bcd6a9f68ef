/** The parts of what confirms an absent answer: attributes of a filter, states of replicas, naming contexts. */
import { describe, expect, it } from "vitest";
import { addressAttributes } from "../../../adapters/ldap/address-attributes.ts";
import { BoundedMap } from "../../../adapters/ldap/bounded-map.ts";
import { includesChanges, parseContextCsn } from "../../../adapters/ldap/context-csn.ts";
import { parseFilter } from "../../../adapters/ldap/filter-parser.ts";
import { firstFound } from "../../../adapters/ldap/first-found.ts";
import { contextOf } from "../../../adapters/ldap/naming-context.ts";
import { presets } from "../../../adapters/ldap/presets.ts";

describe("the address attributes of a filter", () => {
  const of = (text: string) =>
    addressAttributes(parseFilter(text, "uUdf")).map(({ name, filter }) => `${name} ${filter}`);

  it.each<[string, string[]]>([
    ["(mail=%u)", ["mail (mail=*)"]],
    ["(|(mail=%u)(alias=%u))", ["mail (mail=*)", "alias (alias=*)"]],
    [
      "(&(objectClass=a)(|(mail=%u)(alias=smtp:%u))(!(lock=TRUE)))",
      ["mail (&(objectClass=a)(mail=*)(!(lock=TRUE)))", "alias (&(objectClass=a)(alias=smtp:*)(!(lock=TRUE)))"],
    ],
    // What counts together is shown together.
    ["(&(uid=%U)(|(domain=%d)(domain=*.%d)))", ["uid with domain (|(&(uid=*)(domain=*))(&(uid=*)(domain=*.*)))"]],
    ["(|(&(uid=%U)(dc=%d))(mail=%u))", ["uid with dc (&(uid=*)(dc=*))", "mail (mail=*)"]],
    ["(|(objectClass=a)(objectClass=b))", ["any address (|(objectClass=a)(objectClass=b))"]],
    ["(!(mail=%u))", ["any address (objectClass=*)"]],
  ])("of %s are found by themselves", (text, expected) => {
    expect(of(text)).toEqual(expected);
  });

  it("are one where there would be too many", () => {
    const either = (name: string) => `(|${Array.from({ length: 6 }, (_, i) => `(${name}${i}=%u)`).join("")})`;
    expect(of(`(&${either("a")}${either("b")})`)).toHaveLength(1);
  });

  it.each(Object.keys(presets).filter((name) => name !== "custom"))("of preset %s are attributes", (name) => {
    const names = addressAttributes(parseFilter(presets[name]?.ldap_filter ?? "", "uU")).map((one) => one.name);
    expect(names.length).toBeGreaterThan(0);
    for (const one of names) expect(one).toMatch(/^[A-Za-z]+$/);
  });
});

describe("a contextCSN", () => {
  const csn = (time: string, provider: string) => `20261129${time}.000000Z#000000#${provider}#000000`;
  const at = (...values: [string, string][]) => parseContextCsn(values.map(([time, provider]) => csn(time, provider)));

  it.each<[string, ReturnType<typeof at>, ReturnType<typeof at>, boolean]>([
    ["that is the same", at(["120000", "001"]), at(["120000", "001"]), true],
    ["that is newer", at(["120001", "001"]), at(["120000", "001"]), true],
    ["that is older", at(["115959", "001"]), at(["120000", "001"]), false],
    ["with another provider too", at(["120000", "001"], ["110000", "002"]), at(["120000", "001"]), true],
    ["without one of the providers", at(["130000", "001"]), at(["120000", "001"], ["110000", "002"]), false],
    [
      "that is older for one",
      at(["130000", "001"], ["100000", "002"]),
      at(["120000", "001"], ["110000", "002"]),
      false,
    ],
  ])("%s is compared for each provider", (_, state, other, expected) => {
    expect(includesChanges(state, other)).toBe(expected);
  });
});

describe("the naming context of a base", () => {
  it.each<[string, string[], string | null]>([
    ["ou=people,dc=test", ["cn=config", "dc=test"], "dc=test"],
    ["OU=People, DC=Test", ["dc=test"], "dc=test"],
    ["dc=test", ["dc=test"], "dc=test"],
    ["dc=mytest", ["dc=test", "test"], null],
    ["ou=a,ou=b,dc=test", ["dc=test", "ou=b,dc=test"], "ou=b,dc=test"],
    ["dc=test", [""], ""],
    ["", ["dc=test"], null],
  ])("%j is the longest of %j that holds it", (base, contexts, expected) => {
    expect(contextOf(base, contexts)).toBe(expected);
  });
});

describe("the first of several values", () => {
  const never = new Promise<null>(() => {});

  it("is there as soon as one is, whatever fails", async () => {
    expect(await firstFound([never, Promise.reject(new Error("x")), Promise.resolve(null), Promise.resolve(5)])).toBe(
      5,
    );
  });

  it("is null where all are, and an error where one failed", async () => {
    expect(await firstFound([Promise.resolve(null), Promise.resolve(null)])).toBeNull();
    expect(await firstFound([])).toBeNull();
    await expect(firstFound([Promise.resolve(null), Promise.reject(new Error("x"))])).rejects.toThrow("x");
  });
});

describe("a bounded map", () => {
  it("drops what was set longest ago", () => {
    const map = new BoundedMap<string, number>(2);
    map.set("a", 1);
    map.set("b", 2);
    map.set("a", 3);
    map.set("c", 4);
    expect([map.get("a"), map.get("b"), map.get("c"), map.latest]).toEqual([3, undefined, 4, "c"]);
    map.delete("c");
    expect([map.has("c"), map.latest]).toEqual([false, "a"]);
  });
});
