import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { loadGolden } from "../../../fixtures/golden.ts";
import { decodeModifiedUtf7, encodeModifiedUtf7, internalName } from "../../../src/engine/mailbox-name.ts";
import { RecipientParser } from "../../../src/engine/recipient.ts";
import type { MailboxId } from "../../../src/store/store.ts";

describe("modified UTF-7", () => {
  it.each([
    ["", ""],
    ["Lists", "Lists"],
    [" ~", " ~"],
    ["&", "&-"],
    ["R&D", "R&-D"],
    ["&&", "&-&-"],
    ["&AOk-", "&-AOk-"],
    ["Café", "Caf&AOk-"],
    ["Entwürfe", "Entw&APw-rfe"],
    ["é&é", "&AOk-&-&AOk-"],
    // The examples of RFC 3501.
    ["~peter/mail/台北/日本語", "~peter/mail/&U,BTFw-/&ZeVnLIqe-"],
    ["台北日本語", "&U,BTF2XlZyyKng-"],
    // One, two and three UTF-16 units end on each of base64's borders; beyond the BMP there are two.
    ["é", "&AOk-"],
    ["éé", "&AOkA6Q-"],
    ["ééé", "&AOkA6QDp-"],
    ["😀", "&2D3eAA-"],
    ["\u007f", "&AH8-"],
    ["\u0001", "&AAE-"],
    ["\ufffd", "&,,0-"],
    ["a\ufffeb", "a&,,4-b"],
  ])("%j is %j", (text, encoded) => {
    expect(encodeModifiedUtf7(text)).toBe(encoded);
    expect(decodeModifiedUtf7(encoded)).toBe(text);
  });

  it("is printable ASCII and can be decoded, so no two texts have the same name (property)", () => {
    const anyText = fc.string({ unit: "binary", maxLength: 40 });
    fc.assert(
      fc.property(anyText, (text) => {
        const encoded = encodeModifiedUtf7(text);
        expect(encoded).toMatch(/^[\x20-\x7e]*$/);
        expect(decodeModifiedUtf7(encoded)).toBe(text);
      }),
      { numRuns: 1000, seed: 1 },
    );
  });

  it.each(["&AGE", "&AGEA-", "a&", "&é"])("%j is not modified UTF-7, and is returned unchanged", (text) => {
    expect(decodeModifiedUtf7(text)).toBe(text);
  });

  it("has the original's names of folders", () => {
    const { mailboxes, queries, rules } = loadGolden("charset");
    const recipients = new RecipientParser(rules);
    const names = new Set(mailboxes.map(({ internal }) => internal));
    const outcomes = queries.map(({ key, reply }) => {
      const mailbox = recipients.parse(key);
      const isKnown = mailbox.kind !== "none" && names.has(internalName(mailbox));
      return { key, isKnown, isFound: !reply.includes("NOTFOUND") };
    });
    expect(outcomes.filter(({ isKnown, isFound }) => isKnown !== isFound)).toEqual([]);
    expect(outcomes.filter(({ isFound }) => isFound).length).toBeGreaterThan(20);
  });
});

describe("the internal name", () => {
  const fred = { kind: "user", user: "fred", domain: null, folders: [], address: "fred", detail: null } as const;
  const share = { kind: "shared", domain: null, folders: ["Public"], address: "", detail: "" } as const;

  it.each<[MailboxId, string]>([
    [fred, "user.fred"],
    [{ ...fred, domain: "dom.test" }, "dom.test!user.fred"],
    [{ ...fred, folders: ["Lists", "Dev"] }, "user.fred.Lists.Dev"],
    [{ ...fred, user: "wilma.slate" }, "user.wilma^slate"],
    [{ ...fred, user: "wilma.slate", domain: "dom.test", folders: ["v1.2.3"] }, "dom.test!user.wilma^slate.v1^2^3"],
    [{ ...fred, folders: ["Café", "R&D"] }, "user.fred.Caf&AOk-.R&-D"],
    [{ ...fred, folders: ["a/b"] }, "user.fred.a/b"],
    [share, "Public"],
    [{ ...share, folders: ["Public", "v1.2", "Straße"] }, "Public.v1^2.Stra&AN8-e"],
    [{ ...share, domain: "dom.test" }, "dom.test!Public"],
    // The name of a user is not encoded.
    [{ ...fred, user: "fré&d" }, "user.fré&d"],
  ])("of case %# is %j", (mailbox, name) => {
    expect(internalName(mailbox)).toBe(name);
  });
});
