import { describe, expect, it } from "vitest";
import { exemplifyFilter, expandFilter, filterHasToken, generaliseFilter } from "../../../adapters/ldap/filter.ts";
import { parseFilter } from "../../../adapters/ldap/filter-parser.ts";
import { TemplateError, type TokenValues } from "../../../adapters/ldap/template.ts";

const values: TokenValues = new Map<string, [string, ...string[]]>([
  ["u", ["fred", "fred@b.test"]],
  ["U", ["fred"]],
  ["d", ["b.test"]],
]);
const tokens = "uUdf";

const expand = (text: string, known = values) => expandFilter(parseFilter(text, tokens), known)?.toString() ?? null;
const generalise = (text: string) => generaliseFilter(parseFilter(text, tokens))?.toString() ?? null;

const exemplify = (text: string) => {
  const filter = exemplifyFilter(parseFilter(text, tokens), (attribute) => (attribute === "none" ? null : "value"));
  return filter?.toString() ?? null;
};

describe("a filter that finds a known value", () => {
  it.each([
    ["(&(objectClass=user)(mail=%u)(!(locked=TRUE)))", "(&(objectClass=user)(mail=value)(!(locked=TRUE)))"],
    ["(proxyAddresses=smtp:%u)", "(proxyAddresses=value)"],
    ["(|(none=%u)(mail=%U))", "(mail=value)"],
    ["(uid=a)", "(uid=a)"],
  ])("is made of %s", (text, filter) => {
    expect(exemplify(text)).toBe(filter);
  });

  it.each(["(none=%u)", "(&(none=%d)(mail=%u))", "(mail=%u*)", "(mail>=%u)", "(!(mail=%u))"])(
    "cannot be made of %s",
    (text) => {
      expect(exemplify(text)).toBeNull();
    },
  );
});

describe("a filter", () => {
  it.each([
    ["(uid=%U)", "(uid=fred)"],
    ["uid=%U", "(uid=fred)"],
    ["(mail=%u)", "(|(mail=fred)(mail=fred@b.test))"],
    ["(mail=%U@%d)", "(mail=fred@b.test)"],
    ["(proxyAddresses=smtp:%u)", "(|(proxyAddresses=smtp:fred)(proxyAddresses=smtp:fred@b.test))"],
    ["(&(a=1)(|(b=2)(c=%U))(!(d=3)))", "(&(a=1)(|(b=2)(c=fred))(!(d=3)))"],
    ["(a=*)", "(a=*)"],
    ["(a=%U*)", "(a=fred*)"],
    ["(a=*x*%U*)", "(a=*x*fred*)"],
    ["(a>=1)", "(a>=1)"],
    ["(a<=%U)", "(a<=fred)"],
    ["(a~=%U)", "(a~=fred)"],
    ["(uac:1.2.840.113556.1.4.803:=2)", "(uac:1.2.840.113556.1.4.803:=2)"],
    ["(ou:dn:=%U)", "(ou:dn:=fred)"],
    ["(:dn:2.4.6:=x)", "(:dn:2.4.6:=x)"],
    ["(mail;lang-de=%U)", "(mail;lang-de=fred)"],
    ["(2.5.4.3=%U)", "(2.5.4.3=fred)"],
    ["(a=100%%)", "(a=100%)"],
    ["(a=\\2a\\28\\C3\\A9)", "(a=\\2a\\28é)"],
    ["(a=\\5c)", "(a=\\5c)"],
    ["(a=)", "(a=)"],
  ])("%s is %s", (text, expected) => {
    expect(expand(text)).toBe(expected);
  });

  it("takes values as they are, whatever is in them", () => {
    const nasty = "*)(objectClass=*\\2a\0%u";
    const found = expand("(mail=%U)", new Map([["U", [nasty]]]));
    expect(found).toBe("(mail=\\2a\\29\\28objectClass=\\2a\\5c2a\\00%u)");
  });

  it.each([
    ["(f=%f)", null],
    ["(&(a=1)(f=%f))", null],
    ["(|(a=1)(f=%f))", "(a=1)"],
    ["(|(f=%f)(f=x%f))", null],
    ["(!(f=%f))", null],
    ["(|(mail=%U)(&(x=1)(|(f=%f)(y=2))))", "(|(mail=fred)(&(x=1)(y=2)))"],
  ])("%s without a value for its token is %s", (text, expected) => {
    expect(expand(text)).toBe(expected);
  });

  it.each([
    ["(mail=%u)", "(mail=*)"],
    ["(&(objectClass=mailUser)(|(mail=%u)(alias=%u)))", "(&(objectClass=mailUser)(|(mail=*)(alias=*)))"],
    ["(proxyAddresses=smtp:%u)", "(proxyAddresses=smtp:*)"],
    ["(mail=%U@%d)", "(mail=*@*)"],
    ["(mail=%Ux%dy*z)", "(mail=*x*y*z)"],
    ["(a=1)", "(a=1)"],
    ["(a>=%U)", "(a=*)"],
    ["(:1.2.3:=%U)", null],
    ["(!(mail=%u))", null],
    ["(&(a=1)(!(mail=%u)))", "(&(a=1))"],
    ["(!(locked=TRUE))", "(!(locked=TRUE))"],
    ["(|(a=%u)(!(mail=%u)))", null],
  ])("%s finds all that it ever could as %s", (text, expected) => {
    expect(generalise(text)).toBe(expected);
  });

  it("knows which tokens it has", () => {
    const filter = parseFilter("(&(a=1)(!(|(b=%f)(c=x))))", tokens);
    expect(filterHasToken(filter)).toBe(true);
    expect(filterHasToken(filter, "f")).toBe(true);
    expect(filterHasToken(filter, "uU")).toBe(false);
  });

  it.each([
    ["", '"attribute=value"|attribute=value'],
    ["(a=1", '"\\)" is missing'],
    ["a=1)", "unexpected text after its end"],
    ["(a=1))", "unexpected text after its end"],
    ["(&)", 'nothing follows "&"'],
    ["(&(a=1)", '"\\)" is missing'],
    ["(a)", "attribute=value"],
    ["(=x)", "attribute=value"],
    ["(a b=x)", "attribute=value"],
    ["(a:=)(", "unexpected text after"],
    ["(:=x)", "attribute or a rule"],
    ["(a:dn=x)", "attribute=value"],
    ["(a>=x*)", "asterisk is not allowed"],
    ["(a=%x)", "%x is not available here \\(available: %u %U %d %f %%\\)"],
    ["(a=%)", "% is not available"],
    ["(a=%D)", "%D is the DN of a user entry and is not available"],
    ["(a=\\zz)", "backslash"],
    ["(a=\\)", "backslash"],
    ["(a=\\ff)", "is not UTF-8"],
    ["(".repeat(200), "attribute=value"],
    ["(!".repeat(200), "too many parentheses"],
  ])("%j is malformed", (text, words) => {
    expect(() => parseFilter(text, tokens)).toThrow(TemplateError);
    expect(() => parseFilter(text, tokens)).toThrow(new RegExp(words));
  });
});
