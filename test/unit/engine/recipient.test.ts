import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { RecipientParser, type RecipientRules } from "../../../src/engine/recipient.ts";

/** The rules of an imapd.conf without any keys of smmapd. */
const defaults: RecipientRules = {
  virtualDomains: false,
  defaultDomain: "internal",
  separator: "/",
  downcase: true,
  postuser: "",
  skipPlus: false,
};
const virtual: Partial<RecipientRules> = { virtualDomains: true, defaultDomain: "home.test" };

/** A key in UTF-8, as it is received. */
function bytes(text: string): string {
  return Buffer.from(text, "utf8").toString("latin1");
}

/** Which mailbox the key is about, in one line: "fred", "fred@dom.test", "fred > Lists > Dev", "shared > Public"; null: none. */
function locate(rules: Partial<RecipientRules>, key: string): string | null {
  const mailbox = new RecipientParser({ ...defaults, ...rules }).parse(key);
  if (mailbox.kind === "none") return null;
  const owner = mailbox.kind === "user" ? mailbox.user : "shared";
  return [owner + (mailbox.domain === null ? "" : `@${mailbox.domain}`), ...mailbox.folders].join(" > ");
}

function table(
  rules: Partial<RecipientRules>,
  rows: readonly (readonly [key: string, mailbox: string | null])[],
): void {
  it.each(rows)("%j is %j", (key, mailbox) => {
    expect(locate(rules, bytes(key))).toBe(mailbox);
  });
}

describe("without virtual domains", () => {
  table({}, [
    ["fred", "fred"],
    ["fred@dom.test", "fred"],
    ["fred@", "fred"],
    ["fred@@", "fred@"],
    ["fred@a@b", "fred@a"],
    ['"fred"@dom.test', '"fred"'],
    ["fred%dom.test", "fred%dom.test"],
    [" fred", " fred"],
    ["fred ", "fred "],
    ["a b@dom.test", "a b"],
    ["wilma.slate", "wilma.slate"],
    ["fred@[127.0.0.1]", "fred"],
    ["", null],
    ["@", null],
    ["@dom.test", null],
  ]);
});

describe("with virtual domains", () => {
  table(virtual, [
    ["fred", "fred"],
    ["fred@home.test", "fred"],
    ["fred@dom.test", "fred@dom.test"],
    ["fred@a@dom.test", "fred@a@dom.test"],
    ["fred@home.test@dom.test", "fred@home.test@dom.test"],
    ["fred@dom.test@home.test", "fred@dom.test"],
    ["fred@dom.test.", "fred@dom.test."],
    ["fred@sub.home.test", "fred@sub.home.test"],
    ["fred+Lists@dom.test", "fred@dom.test > Lists"],
    ["fred+Lists@home.test", "fred > Lists"],
    ["fred@müller.test", "fred@müller.test"],
    ["fred@xn--mller-kva.test", "fred@xn--mller-kva.test"],
    ["fred@", null],
    ["@dom.test", null],
    ["", null],
  ]);

  it("distinguishes the domain from a local part that contains one", () => {
    const recipients = new RecipientParser({ ...defaults, ...virtual });
    expect(recipients.parse("fred@dom.test@home.test")).toMatchObject({ user: "fred@dom.test", domain: null });
    expect(recipients.parse("fred@dom.test")).toMatchObject({ user: "fred", domain: "dom.test" });
  });
});

describe("the default domain", () => {
  describe("is compared without regard to case while addresses are folded", () => {
    table({ ...virtual, defaultDomain: "Home.Test" }, [
      ["fred@home.test", "fred"],
      ["fred@HOME.TEST", "fred"],
      ["fred@Home.Test", "fred"],
      ["+Public@HOME.test", "shared > Public"],
    ]);
  });
  describe("is compared exactly while addresses are not folded", () => {
    table({ ...virtual, downcase: false }, [
      ["fred@home.test", "fred"],
      ["fred@Home.test", "fred@Home.test"],
      ["+Public@Home.test", null],
    ]);
  });
  describe("is internal if it is not set", () => {
    table({ virtualDomains: true }, [
      ["fred@internal", "fred"],
      ["fred@dom.test", "fred@dom.test"],
    ]);
  });
});

describe("the detail", () => {
  table({}, [
    ["fred+Lists", "fred > Lists"],
    ["fred+Lists/Dev", "fred > Lists > Dev"],
    ["fred+Lists@dom.test", "fred > Lists"],
    ["fred+", "fred"],
    ["fred+/", "fred"],
    ["fred+//", "fred"],
    ["fred+//a/", "fred > a"],
    ["fred+a//b", "fred > a > b"],
    ["fred+a+b", "fred > a+b"],
    ["fred++a", "fred > +a"],
    ["fred+a@b@dom.test", "fred > a@b"],
    ["fred+ ", "fred >  "],
    ["fred+INBOX", "fred > INBOX"],
    ["fred+a.b", "fred > a.b"],
    ["fred+a^b", "fred > a^b"],
    ["fred+a\\b", "fred > a\\b"],
    ["fred+R&D", "fred > R&D"],
    ["fred+R&-D", "fred > R&-D"],
    ["fred+Café", "fred > Café"],
    ["fred+日本/語", "fred > 日本 > 語"],
    // Neither normalised nor folded.
    ["fred+Cafe\u0301", "fred > Cafe\u0301"],
    ["fred+LiStS", "fred > LiStS"],
    ["FRED+LISTS", "fred > LISTS"],
    ["fred+ÉTÉ", "fred > ÉTÉ"],
    // A separator in the local part does not separate levels.
    ["fred/lists", "fred/lists"],
    ["fred.lists+a/b", "fred.lists > a > b"],
  ]);
});

describe("the detail, separated by dots", () => {
  table({ separator: "." }, [
    ["fred+Lists.Dev", "fred > Lists > Dev"],
    ["fred+Lists/Dev", "fred > Lists/Dev"],
    ["fred+.", "fred"],
    ["fred+..a.", "fred > a"],
    ["wilma.slate+a.b", "wilma.slate > a > b"],
    ["+Public.Dev", "shared > Public > Dev"],
    ["+.", null],
  ]);
});

describe("lower case", () => {
  table(virtual, [
    ["FRED", "fred"],
    ["Fred@DOM.Test", "fred@dom.test"],
    ["FRED+Lists@DOM.TEST", "fred@dom.test > Lists"],
    // Only US-ASCII: no locale, and no letter whose lower case is longer.
    ["ÄRGER", "Ärger"],
    ["\u0130@\u212a.test", "\u0130@\u212a.test"],
  ]);
  describe("when lmtp_downcase_rcpt is off", () => {
    table({ ...virtual, downcase: false }, [
      ["FRED", "FRED"],
      ["Fred@DOM.Test", "Fred@DOM.Test"],
      ["Fred+Lists@home.test", "Fred > Lists"],
    ]);
  });
});

describe("shared folders", () => {
  table({}, [
    ["+Public", "shared > Public"],
    ["+Public/Dev", "shared > Public > Dev"],
    ["+/Public", "shared > Public"],
    ["+Public@any.test", "shared > Public"],
    ["+Public@", "shared > Public"],
    ["++Public", "shared > +Public"],
    ["+INBOX", "shared > INBOX"],
    ["+user/fred", "shared > user > fred"],
    ["+Café", "shared > Café"],
    ["+", null],
    ["+/", null],
    ["+@dom.test", null],
  ]);

  describe("with virtual domains are those of the default domain", () => {
    table(virtual, [
      ["+Public", "shared > Public"],
      ["+Public@home.test", "shared > Public"],
      ["+Public@dom.test", null],
      ["+fred@dom.test", null],
      ["+Public@", null],
    ]);
  });
});

describe("postuser", () => {
  describe("of one word", () => {
    table({ postuser: "bb" }, [
      ["bb+Public", "shared > Public"],
      ["BB+Public", "shared > Public"],
      ["bb+Public@any.test", "shared > Public"],
      ["bb+Public/Dev", "shared > Public > Dev"],
      ["bb", null],
      ["bb+", null],
      ["bb+/", null],
      ["bb@dom.test", null],
      ["bbb+Public", "bbb > Public"],
      ["b+Public", "b > Public"],
      // The empty local part is no longer the postuser.
      ["+Public", null],
      ["+fred", null],
      ["", null],
    ]);
  });
  describe("of one word, with virtual domains, is one of the default domain", () => {
    table({ ...virtual, postuser: "bb" }, [
      ["bb+Public", "shared > Public"],
      ["bb+Public@home.test", "shared > Public"],
      ["bb+Public@HOME.TEST", "shared > Public"],
      ["bb+Public@dom.test", "bb@dom.test > Public"],
      ["+Public", null],
      ["+fred@dom.test", null],
    ]);
  });
  describe("of one word, in capitals, never matches folded addresses", () => {
    table({ postuser: "BB" }, [
      ["BB+Public", "bb > Public"],
      ["bb+Public", "bb > Public"],
    ]);
  });
  describe("of one word, in capitals, matches addresses that are not folded", () => {
    table({ postuser: "BB", downcase: false }, [
      ["BB+Public", "shared > Public"],
      ["bb+Public", "bb > Public"],
    ]);
  });
  describe("with a domain stands for folders of the default domain", () => {
    table({ ...virtual, postuser: "bb@dom.test" }, [
      ["bb+Public@dom.test", "shared > Public"],
      ["BB+Public@DOM.TEST", "shared > Public"],
      ["bb+Public", "bb > Public"],
      ["bb+Public@home.test", "bb > Public"],
      ["bb@dom.test", null],
    ]);
  });
  describe("with a domain, without virtual domains, does not match a local part without its domain", () => {
    table({ postuser: "bb@dom.test" }, [["bb+Public@dom.test", "bb > Public"]]);
  });
  describe("with a domain, without virtual domains, matches a local part of that spelling", () => {
    table({ postuser: "bb@dom.test" }, [["bb@dom.test+Public@any.test", "shared > Public"]]);
  });
});

describe("differences from the original", () => {
  describe('"!" does not address another domain', () => {
    table({ ...virtual, separator: "." }, [
      ["+dom.test!Public", null],
      ["+home.test!Public", null],
      ["+home.test!user.fred", null],
      ["+Public.a!b", null],
      ["+!", null],
      // In an address of a user it never did.
      ["fred+a!b", "fred > a!b"],
      ["a!fred", "a!fred"],
    ]);
  });
  describe('"!" is an ordinary character without virtual domains', () => {
    table({}, [["+a!b", "shared > a!b"]]);
  });
  describe("deleted folders are absent", () => {
    table({ separator: "." }, [
      ["+DELETED.Public.6B02A7B3", null],
      ["+.DELETED.Public.6B02A7B3", null],
      ["+DELETED", null],
      ["+deleted.Public", "shared > deleted > Public"],
      ["+Public.DELETED", "shared > Public > DELETED"],
      ["fred+DELETED", "fred > DELETED"],
      ["DELETED", "deleted"],
    ]);
  });
  describe("an empty local part has no mailbox", () => {
    table({ ...virtual, postuser: "bb" }, [
      ["+fred", null],
      ["+fred@home.test", null],
      ["+fred@dom.test", null],
      ["@dom.test", null],
    ]);
  });
});

describe("option -p", () => {
  table({ skipPlus: true }, [
    ["fred+Lists", "fred"],
    ["fred+", "fred"],
    ["fred+a+b@dom.test", "fred"],
    ["+Public", null],
    ["+", null],
  ]);

  it("removes the detail", () => {
    const recipients = new RecipientParser({ ...defaults, skipPlus: true });
    expect(recipients.parse("fred+Lists@dom.test")).toMatchObject({ detail: null, address: "fred@dom.test" });
  });
});

describe("octets that are not UTF-8", () => {
  it.each([
    ["fred+\xff", ["\ufffd"]],
    ["fred+a\xe9b", ["a\ufffdb"]],
    // A truncated sequence is one fault; octets that start no sequence are one fault each.
    ["fred+\xe6\x97", ["\ufffd"]],
    ["fred+\xe6\x97/a", ["\ufffd", "a"]],
    ["fred+\xf0\x9f\x98x", ["\ufffdx"]],
    ["fred+\x80\x80", ["\ufffd\ufffd"]],
    // Overlong forms, surrogates and values beyond Unicode are not decoded to a separator.
    ["fred+\xc0\xaf", ["\ufffd\ufffd"]],
    ["fred+\xe0\x80\xaf", ["\ufffd\ufffd\ufffd"]],
    ["fred+\xed\xa0\x80", ["\ufffd\ufffd\ufffd"]],
    ["fred+\xf4\x90\x80\x80", ["\ufffd\ufffd\ufffd\ufffd"]],
    // A byte order mark is a character.
    ["fred+\xef\xbb\xbfa", ["\ufeffa"]],
  ])("%j", (key, folders) => {
    expect(new RecipientParser(defaults).parse(key)).toMatchObject({ kind: "user", user: "fred", folders });
  });

  it("a byte order mark at the start of the key is part of the user's name", () => {
    expect(locate({}, "\xef\xbb\xbffred")).toBe("\ufefffred");
  });
});

describe("address and detail, for stores that use the text", () => {
  it.each<[Partial<RecipientRules>, string, string, string | null]>([
    [{}, "Fred", "fred", null],
    [{}, "Fred@Dom.Test", "fred@dom.test", null],
    [{}, "Fred+Lists/Dev@Dom.Test", "fred@dom.test", "Lists/Dev"],
    [{}, "Fred+@Dom.Test", "fred@dom.test", ""],
    [{}, "fred+//a/", "fred", "//a/"],
    [{}, "fred@", "fred@", null],
    [{}, "+Public@Dom.Test", "@dom.test", "Public"],
    [{}, "+Public", "", "Public"],
    [virtual, "Fred+Café@HOME.Test", "fred@home.test", "Café"],
    [{ ...virtual, downcase: false }, "Fred+a@Dom.Test", "Fred@Dom.Test", "a"],
    [{ postuser: "bb" }, "BB+Public@Dom.Test", "bb@dom.test", "Public"],
  ])("%j: %j", (rules, key, address, detail) => {
    expect(new RecipientParser({ ...defaults, ...rules }).parse(bytes(key))).toMatchObject({ address, detail });
  });
});

describe("splitting an address", () => {
  it.each<[Partial<RecipientRules>, string, object]>([
    [
      {},
      "Fred+Lists@Dom.Test",
      { localpart: "fred", detail: "Lists", domain: "dom.test", isDefaultDomain: true, userid: "fred" },
    ],
    [
      virtual,
      "Fred+Lists@Dom.Test",
      { localpart: "fred", detail: "Lists", domain: "dom.test", isDefaultDomain: false, userid: "fred@dom.test" },
    ],
    [virtual, "fred@HOME.test", { localpart: "fred", domain: "home.test", isDefaultDomain: true, userid: "fred" }],
    [virtual, "fred", { localpart: "fred", detail: null, domain: null, isDefaultDomain: true, userid: "fred" }],
    [virtual, "+a@dom.test", { localpart: "", detail: "a", isDefaultDomain: false, userid: "@dom.test" }],
  ])("%j: %j", (rules, key, parts) => {
    expect(new RecipientParser({ ...defaults, ...rules }).split(key)).toMatchObject(parts);
  });
});

it("an address that no mailbox can have has a reason", () => {
  const reasons = ["+", "", "+DELETED/a"].map((key) => new RecipientParser(defaults).parse(key));
  expect(reasons).toEqual([
    { kind: "none", reason: "a shared address that names no folder" },
    { kind: "none", reason: "a shared address that names no folder" },
    { kind: "none", reason: "deleted folders receive no mail" },
  ]);
  const strict = new RecipientParser({ ...defaults, ...virtual, postuser: "bb" });
  expect(["bb+a!b", "+a", "fred@"].map((key) => strict.parse(key))).toEqual([
    { kind: "none", reason: '"!" cannot lead to another domain' },
    { kind: "none", reason: "an empty local part that is not the postuser" },
    { kind: "none", reason: "an empty domain" },
  ]);
});

describe("any octets at all (property)", () => {
  const anyRules: fc.Arbitrary<RecipientRules> = fc.record({
    virtualDomains: fc.boolean(),
    defaultDomain: fc.constantFrom("internal", "Home.Test", "a"),
    separator: fc.constantFrom("/", "."),
    downcase: fc.boolean(),
    postuser: fc.constantFrom("", "bb", "BB", "bb@a"),
    skipPlus: fc.boolean(),
  });
  const anyOctets = fc.uint8Array({ maxLength: 60 }).map((octets) => Buffer.from(octets).toString("latin1"));
  const likely = fc.array(fc.constantFrom("a", "A", "bb", "@", "+", "/", ".", "!", " ", "\xc3\xa9", "\xff"));
  const anyKey = fc.oneof(
    anyOctets,
    likely.map((parts) => parts.join("")),
  );

  it("give a mailbox without an empty level, or none, and never an error", () => {
    fc.assert(
      fc.property(anyRules, anyKey, (rules, key) => {
        const mailbox = new RecipientParser(rules).parse(key);
        if (mailbox.kind === "none") {
          expect(mailbox.reason).not.toBe("");
          return;
        }
        expect(mailbox.folders.every((level) => level !== "" && !level.includes(rules.separator))).toBe(true);
        if (!rules.virtualDomains) expect(mailbox.domain).toBeNull();
        if (mailbox.kind === "shared") {
          expect(mailbox.folders).not.toEqual([]);
          expect(mailbox.domain).toBeNull();
        } else {
          expect(mailbox.user).not.toBe("");
          expect(mailbox.domain).not.toBe("");
        }
        if (rules.downcase) expect(mailbox.address).not.toMatch(/[A-Z]/);
      }),
      { numRuns: 3000, seed: 1 },
    );
  });
});
