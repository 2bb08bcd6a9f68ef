import { describe, expect, it } from "vitest";
import { mailboxName, type Naming } from "../../../adapters/imap/names.ts";
import { RecipientParser } from "../../../src/engine/recipient.ts";
import type { MailboxId } from "../../../src/store/store.ts";

const slash: Naming = { separator: "/", sharedPrefix: "", defaultDomain: null };
const dot: Naming = { ...slash, separator: "." };
const domains: Naming = { ...slash, defaultDomain: "home.test" };
const ordinary: Naming = { ...slash, sharedPrefix: "Shared Folders/" };

/** The mailbox that an address stands for where our own separator is the server's. */
function mailbox(address: string, naming: Naming): MailboxId {
  const parser = new RecipientParser({
    virtualDomains: naming.defaultDomain !== null,
    defaultDomain: naming.defaultDomain ?? "internal",
    separator: naming.separator,
    downcase: true,
    postuser: "",
    skipPlus: false,
  });
  const id = parser.parse(Buffer.from(address, "utf8").toString("latin1"));
  if (id.kind === "none") throw new Error(`${address}: ${id.reason}`);
  return id;
}

function user(name: string, ...folders: string[]): MailboxId {
  return { kind: "user", user: name, domain: null, folders, address: name, detail: null };
}

function shared(...folders: string[]): MailboxId {
  return { kind: "shared", domain: null, folders, address: "", detail: "" };
}

describe("the name of a mailbox on the server", () => {
  it.each<[string, Naming, string]>([
    ["fred", slash, "user/fred"],
    ["fred", dot, "user.fred"],
    ["FRED+Detail@any.test", slash, "user/fred/Detail"],
    ["fred+lists/cyrus", slash, "user/fred/lists/cyrus"],
    ["fred+lists.cyrus", dot, "user.fred.lists.cyrus"],
    ["wilma.slate", slash, "user/wilma.slate"],
    ["wilma.slate", dot, "user.wilma^slate"],
    ["wilma^slate", slash, "user/wilma.slate"],
    ["wilma^slate", dot, "user.wilma^slate"],
    ["fred+v1^2", slash, "user/fred/v1.2"],
    ["fred+a/b", dot, "user.fred.a/b"],
    ["fred+Entwürfe/R&D", slash, "user/fred/Entw&APw-rfe/R&-D"],
    ["fred+Entw&APw-rfe", slash, "user/fred/Entw&-APw-rfe"],
    ["fred+日本語", dot, "user.fred.&ZeVnLIqe-"],
    ["fred+😀", slash, "user/fred/&2D3eAA-"],
    ['fred+a"b\\c', slash, 'user/fred/a"b\\c'],
    ["fred+\x01", slash, "user/fred/&AAE-"],
    ["+public", slash, "public"],
    ["+pub^lic/v1.2", slash, "pub.lic/v1.2"],
    ["+user/fred/x", slash, "user/fred/x"],
    ["+inboxes", slash, "inboxes"],
    ["fred@home.test", domains, "user/fred"],
    ["fred@hill.test", domains, "user/fred@hill.test"],
    ["fred+Detail@Hill.Test", domains, "user/fred/Detail@hill.test"],
    ["fred+a@b@home.test", domains, "user/fred/a@b@home.test"],
    ["fred+a@b@hill.test", domains, "user/fred/a@b@hill.test"],
    ["fred+a@b@hill.test", slash, "user/fred/a@b"],
    ["+x@y@home.test", domains, "x@y@home.test"],
    ["+public/look", ordinary, "Shared Folders/public/look"],
    ["+INBOX", ordinary, "Shared Folders/INBOX"],
    ["*", slash, "user/*"],
    ["fré", slash, "user/fré"],
    ["fred\r\n", slash, "user/fred\r\n"],
  ])("%j: %j", (address, naming, name) => {
    expect(mailboxName(mailbox(address, naming), naming)).toBe(name);
  });

  it("of other levels than the server's is written so that it means the same", () => {
    expect(mailboxName(user("fred", "v1.2"), dot)).toBe("user.fred.v1^2");
    expect(mailboxName(user("fred", "a^b"), slash)).toBe("user/fred/a.b");
  });

  it.each<[string, MailboxId, Naming]>([
    ["a separator in the user", user("fred/Detail"), slash],
    ["a separator in a level", user("fred", "a/b"), slash],
    ["the administrator's INBOX", shared("INBOX"), slash],
    ["his INBOX in other letters", shared("iNbOx"), dot],
    ["a folder below his INBOX", shared("inbox", "Sub"), slash],
    ["! in the user", user("hill!fred"), slash],
    ["! in a folder", user("fred", "a!b"), dot],
    ["! in a shared folder", shared("hill!public"), domains],
    ["! in the domain", { ...user("fred"), domain: "a!b" }, domains],
    ["NUL in the user", user("fr\0ed"), slash],
    ["NUL in the domain", { ...user("fred"), domain: "a\0b" }, domains],
  ])("does not exist with %s", (_what, id, naming) => {
    expect(mailboxName(id, naming)).toBeNull();
  });
});
