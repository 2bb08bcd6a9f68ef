/** The folders that the imap store finds beside one that is not there. */
import { expect, it } from "vitest";
import { Cyrus } from "../../fixtures/servers/cyrus.ts";
import { populate } from "../../fixtures/servers/cyrus-population.ts";
import { openImapStore } from "../../fixtures/servers/cyrus-store.ts";
import { Lookup } from "../../src/store/lookup.ts";
import type { MailboxId } from "../../src/store/store.ts";

const fred: MailboxId = { kind: "user", user: "fred", domain: null, folders: ["x"], address: "fred", detail: "x" };

function shared(...folders: string[]): MailboxId {
  return { kind: "shared", domain: null, folders, address: "", detail: folders.join("/") };
}

it.each([
  ["/", "yes"],
  [".", "no"],
])("are all of the same owner, with the separator %s", async (separator, unixhierarchysep) => {
  const conf = { unixhierarchysep, virtdomains: "userid", defaultdomain: "home.test" };
  const cyrus = await Cyrus.start({ imapdConf: conf });
  const store = openImapStore(cyrus, conf);
  const dot = separator === "." ? "^" : ".";
  const names = [
    "user/fred",
    "user/fred/Lists",
    `user/fred/Lists/v1${dot}2`,
    "user/fred/Entw&APw-rfe",
    "user/fredy",
    "user/fredy/Other",
    "user/f*d",
    "user/f*d/Star",
    "user/fred@hill.test",
    "user/fred/Hill@hill.test",
    "News",
    "News/Local",
    "news",
    "Offers",
    "Offers/News",
  ];
  try {
    await populate(cyrus, {
      mailboxes: names.map((name) => ({ name: name.replaceAll("/", separator) })),
      quotas: [],
    });
    const beside = async (mailbox: MailboxId) => {
      const paths = (await store.similarFolders?.(mailbox, new Lookup())) ?? [];
      return paths.map((path) => path.join("/")).sort();
    };
    expect(await beside(fred)).toEqual(["Entwürfe", "Lists", `Lists/v1${dot}2`].sort());
    expect(await beside({ ...fred, user: "f*d" })).toEqual(["Star"]);
    expect(await beside({ ...fred, domain: "hill.test" })).toEqual(["Hill"]);
    expect(await beside({ ...fred, user: "nobody" })).toEqual([]);
    expect(await beside({ ...fred, user: "no!body" })).toEqual([]);
    expect(await beside(shared("NEWS", "x"))).toEqual(["News", "News/Local", "news"].sort());
    expect(await beside(shared("user", "fred", "lists"))).toEqual(
      ["Entwürfe", "Lists", `Lists/v1${dot}2`].map((path) => `user/fred/${path}`).sort(),
    );
    expect(await beside(shared("Nothing"))).toEqual([]);
  } finally {
    await store.close();
    await cyrus.stop();
  }
});
