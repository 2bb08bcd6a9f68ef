/** The small readers: URLs, figures, rights, DNs, entries, results. */
import { describe, expect, it } from "vitest";
import { parseEndpoint } from "../../../adapters/ldap/endpoint.ts";
import { Entry } from "../../../adapters/ldap/entry.ts";
import { parseCount, parseOctets, type QuotaUnit } from "../../../adapters/ldap/quota.ts";
import { resultError } from "../../../adapters/ldap/result.ts";
import { rightsFrom } from "../../../adapters/ldap/rights.ts";
import { expandBase, parseTemplate } from "../../../adapters/ldap/template.ts";
import { StoreError } from "../../../src/store/store.ts";

describe("a URL of ldap_uri", () => {
  it.each<[string, unknown]>([
    ["ldap://a.example", { address: { host: "a.example", port: 389 }, isTls: false, isLocal: false }],
    ["ldap://a.example:1389/", { address: { host: "a.example", port: 1389 }, isTls: false, isLocal: false }],
    ["ldaps://a.example", { address: { host: "a.example", port: 636 }, isTls: true, isLocal: false }],
    ["LDAPS://[::1]:1636", { address: { host: "::1", port: 1636 }, isTls: true, isLocal: true }],
    ["ldap://127.0.0.1", { address: { host: "127.0.0.1", port: 389 }, isTls: false, isLocal: true }],
    ["ldap://localhost", { address: { host: "localhost", port: 389 }, isTls: false, isLocal: true }],
    ["ldapi://%2Frun%2Fldapi", { address: { path: "/run/ldapi" }, isTls: false, isLocal: true }],
    ["ldapi:///run/ldapi", { address: { path: "/run/ldapi" }, isTls: false, isLocal: true }],
    ["ldapi:///", { address: { path: "/var/run/slapd/ldapi" }, isTls: false, isLocal: true }],
    ["ldapi://", { address: { path: "/var/run/slapd/ldapi" }, isTls: false, isLocal: true }],
  ])("%s is understood", (uri, endpoint) => {
    expect(parseEndpoint(uri)).toEqual({ uri, ...(endpoint as object) });
  });

  it.each([
    ["a.example", "is not a URL"],
    ["http://a.example", "must begin with"],
    ["ldap://", "has no host"],
    ["ldap://a:b@c.example", "contains a login"],
    ["ldap://a.example/dc=x", "more than a host and a port"],
    ["ldap://a.example/?x", "more than a host and a port"],
    ["ldap://a.example:99999", "is not a URL"],
    ["ldapi://relative", "absolute path"],
    ["ldapi://%2Fa/b", "two paths"],
    ["ldapi://%zz", "malformed %"],
    ["ldapi:", "must have the form"],
  ])("%s is not", (uri, words) => {
    expect(parseEndpoint(uri)).toContain(words);
  });
});

describe("a figure", () => {
  it.each<[string, QuotaUnit, number | null]>([
    ["1048576", "b", 1048576],
    ["0", "g", 0],
    ["10", "k", 10240],
    ["10", "m", 10 * 1024 ** 2],
    ["10", "g", 10 * 1024 ** 3],
    [" 10 ", "k", 10240],
    ["512K", "b", 524288],
    ["512k", "m", 524288],
    ["1 M", "b", 1024 ** 2],
    ["1MB", "b", 1024 ** 2],
    ["1GiB", "b", 1024 ** 3],
    ["100B", "g", 100],
    ["+5", "b", 5],
    ["-1", "k", -1024],
    ["9223372036854775807", "b", Number.MAX_SAFE_INTEGER],
    ["9999999999", "g", Number.MAX_SAFE_INTEGER],
    ["", "b", null],
    ["plenty", "b", null],
    ["1.5G", "b", null],
    ["1,000", "b", null],
    ["1e3", "b", null],
    ["0x10", "b", null],
    ["10T", "b", null],
    ["10S,5C", "b", null],
    ["NaN", "b", null],
    ["--1", "b", null],
  ])("%j in %s is %s octets", (text, unit, octets) => {
    expect(parseOctets(text, unit)).toBe(octets);
  });

  it.each<[string, number | null]>([
    ["100", 100],
    ["-1", -1],
    ["99999999999999999999", Number.MAX_SAFE_INTEGER],
    ["1K", null],
    ["", null],
    ["many", null],
  ])("%j is %s messages", (text, count) => {
    expect(parseCount(text)).toBe(count);
  });
});

describe("rights", () => {
  it.each<[readonly string[], string]>([
    [[], ""],
    [["lrsp"], "lrsp"],
    [["post"], "lrsp"],
    [["none"], ""],
    [["anyone lrs"], "lrs"],
    [["anyone, lrsp"], "lrsp"],
    [["anyone\tread"], "lrs"],
    [["Anyone POST"], "lrsp"],
    [["anonymous p", "anyone l"], "pl"],
    [["anyone append"], "lrsip"],
    [["anyone write"], "lrswipkxte"],
    [["anyone all"], "lrswipkxtecda"],
    [["anyone lrsp", "-anyone p"], "lrs"],
    [["anyone lrsp", "-anonymous lp"], "rs"],
    [["fred lrsp", "group:all staff lrsp", "admin all"], ""],
    [["group:anyone p"], ""],
    [["anyone 0p9"], "0p9"],
    [[" anyone   p "], "p"],
  ])("%j are %j for an unknown poster", (values, rights) => {
    expect(rightsFrom(values)).toEqual({ rights });
  });

  it.each(["anyone", "anyone whatever", "anyone lrs p", "-anyone LOOKUP", "anyone l+p"])("%j are none", (value) => {
    expect(rightsFrom(["fred lrsp", value])).toEqual({ problem: `"${value}" is not a valid rights value` });
  });
});

describe("a base", () => {
  const base = parseTemplate("ou=%U,dc=%2,dc=%1", "U12");

  it("takes the place of its tokens escaped", () => {
    const values = new Map<string, [string]>([
      ["U", [' #a,b+c"d\\e<f>g;h=i\0 ']],
      ["2", ["example"]],
      ["1", ["org"]],
    ]);
    expect(expandBase(base, values)).toBe(
      "ou=\\20\\23a\\2cb\\2bc\\22d\\5ce\\3cf\\3eg\\3bh\\3di\\00\\20,dc=example,dc=org",
    );
  });

  it("has no meaning where a token has no value", () => {
    expect(expandBase(base, new Map([["U", ["fred"]]]))).toBeNull();
  });
});

describe("an entry", () => {
  const found = (...attributes: [string, ...string[]][]) => ({
    kind: "entry" as const,
    id: 1,
    dn: "cn=a",
    attributes: attributes.map(([description, ...values]) => ({
      description,
      values: values.map((v) => Buffer.from(v, "latin1")),
    })),
  });

  it("gives values by name in any case", () => {
    const entry = new Entry(found(["Mail", "a", "b"]), ["mail"]);
    expect(entry.values("MAIL")).toEqual(["a", "b"]);
    expect(entry.values("other")).toEqual([]);
  });

  it("prefers the attribute without options", () => {
    const entry = new Entry(found(["mail;lang-de", "de"], ["mail", "plain"], ["mail;x-a", "a"]), ["mail"]);
    expect(entry.values("mail")).toEqual(["plain"]);
    const optional = new Entry(found(["mail;lang-de", "de"], ["mail"], ["mail;x-a", "a"]), ["mail"]);
    expect(optional.values("mail")).toEqual(["de", "a"]);
    expect(optional.values("mail;X-A")).toEqual(["a"]);
  });

  it("says of a value that is no text that it is none", () => {
    expect(new Entry(found(["photo", "\xff\xd8"]), ["photo"]).values("photo")).toEqual([null]);
  });

  it.each<[string, ...[string, ...string[]][]]>([
    ["the name uid: use that name", ["uid", "a"]],
    ["a part of member;range=0-1499", ["member;range=0-1499", "a"]],
    ["Member twice", ["member", "a"], ["Member"]],
  ])("is refused where it has %s", (words, ...attributes) => {
    expect(() => new Entry(found(...attributes), ["member", "userid"])).toThrow(words);
  });

  it("is complete with the last part of its values", () => {
    const entry = new Entry(found(["member;range=1500-*", "a"]), ["member"]);
    expect(entry.values("member")).toEqual(["a"]);
  });
});

describe("a result that is no success", () => {
  it.each(Array.from({ length: 124 }, (_, code) => code).filter((code) => code > 0))("%d is an error", (code) => {
    const error = resultError(
      { kind: "result", id: 1, operation: "search", code, message: "words", referrals: ["ldap://b/"] },
      "asking",
    );
    expect(error).toBeInstanceOf(StoreError);
    expect(error.message).toMatch(new RegExp(`^asking: [a-zA-Z ]+ \\(${code}\\): words; ldap://b/`));
    expect(["unavailable", "denied", "timeout", "invalid-data"]).toContain(error.code);
  });

  it("is a refusal where it is about us", () => {
    const codes = [8, 49, 50].map((code) => {
      return resultError({ kind: "result", id: 1, operation: "bind", code, message: "", referrals: [] }, "asking").code;
    });
    expect(codes).toEqual(["denied", "denied", "denied"]);
  });
});
