import { describe, expect, it } from "vitest";
import { DetailFallbackStore } from "../../../src/store/detail-fallback.ts";
import { Lookup } from "../../../src/store/lookup.ts";
import {
  type FolderPaths,
  internalName,
  type MailboxFacts,
  type MailboxId,
  type MailboxStore,
  StoreError,
} from "../../../src/store/store.ts";

const facts: MailboxFacts = { exists: true, rights: null, quotas: [] };

/** Knows mailboxes by Cyrus' names, and keeps a list of what it was asked. */
class Names implements MailboxStore {
  readonly name = "names";
  readonly capabilities = { folders: true, shared: true, quota: [] } as const;
  readonly asked: string[] = [];
  readonly #names: readonly string[];
  readonly #isLate: boolean;
  failing: string | null = null;

  constructor(names: readonly string[], isLate: boolean) {
    this.#names = names;
    this.#isLate = isLate;
  }

  lookup(mailbox: MailboxId): MailboxFacts | Promise<MailboxFacts> {
    const name = internalName(mailbox);
    this.asked.push(name);
    if (name === this.failing) throw new StoreError("unavailable", "names: down");
    const answer: MailboxFacts = this.#names.includes(name) ? facts : { exists: false };
    return this.#isLate ? Promise.resolve(answer) : answer;
  }

  similarFolders(mailbox: MailboxId): FolderPaths {
    this.asked.push("folders");
    if (this.failing === "folders") throw new StoreError("unavailable", "names: down");
    const root = mailbox.kind === "user" ? "user.fred." : "";
    return this.#names.filter((name) => name.startsWith(root)).map((name) => name.slice(root.length).split("."));
  }

  async ping(): Promise<void> {}
  async close(): Promise<void> {}
}

function user(...folders: string[]): MailboxId {
  const detail = folders.length === 0 ? null : folders.join("/");
  return { kind: "user", user: "fred", domain: null, folders, address: "fred", detail };
}

function shared(...folders: string[]): MailboxId {
  return { kind: "shared", domain: null, folders, address: "", detail: folders.join("/") };
}

const names = ["user.fred", "user.fred.Lists", "user.fred.Lists.Dev", "user.fred.Work", "user.fred.WORK", "News.Local"];
const caseOnly = { ignoresCase: true, fallsBack: false };
const inboxOnly = { ignoresCase: false, fallsBack: true };
const both = { ignoresCase: true, fallsBack: true };

describe.each([
  ["at once", false],
  ["later", true],
])("a lenient store that answers %s", (_when, isLate) => {
  it.each<[string, typeof both, MailboxId, string[], MailboxId | null]>([
    // What is there as it is written is asked for once, and nothing is added.
    ["an INBOX", both, user(), ["user.fred"], user()],
    ["a folder", both, user("Lists"), ["user.fred.Lists"], user("Lists")],
    ["one of two that are alike", both, user("WORK"), ["user.fred.WORK"], user("WORK")],
    [
      "a folder in another case",
      caseOnly,
      user("lists"),
      ["user.fred.lists", "folders", "user.fred.Lists"],
      user("Lists"),
    ],
    [
      "a deeper one",
      caseOnly,
      user("lists", "dev"),
      ["user.fred.lists.dev", "folders", "user.fred.Lists.Dev"],
      user("Lists", "Dev"),
    ],
    [
      "a shared one",
      caseOnly,
      shared("news", "local"),
      ["news.local", "folders", "News.Local"],
      shared("News", "Local"),
    ],
    ["none in any case", caseOnly, user("nope"), ["user.fred.nope", "folders"], null],
    ["a folder that is absent", inboxOnly, user("lists"), ["user.fred.lists", "user.fred"], user()],
    ["a shared one that is absent", inboxOnly, shared("news", "local"), ["news.local"], null],
    ["none in any case, then the INBOX", both, user("nope"), ["user.fred.nope", "folders", "user.fred"], user()],
    [
      "another case before the INBOX",
      both,
      user("lists"),
      ["user.fred.lists", "folders", "user.fred.Lists"],
      user("Lists"),
    ],
  ])("%s", async (_what, leniency, mailbox, asked, found) => {
    const inner = new Names(names, isLate);
    const answer = await new DetailFallbackStore(inner, leniency).lookup(mailbox, new Lookup());
    expect(inner.asked).toEqual(asked);
    if (found === null) {
      expect(answer).toEqual({ exists: false });
      return;
    }
    const { mailbox: answering = mailbox, ...rest } = answer as MailboxFacts & { mailbox?: MailboxId };
    expect(rest).toEqual(facts);
    expect(internalName(answering)).toBe(internalName(found));
  });

  it("cannot tell which of several folders is meant", async () => {
    const store = new DetailFallbackStore(new Names(names, isLate), both);
    await expect(async () => store.lookup(user("work"), new Lookup())).rejects.toMatchObject({
      code: "invalid-data",
      message: "names: fred has Work, WORK: ambiguous, rename or remove all but one",
    });
  });

  it.each(["user.fred.nope", "folders", "user.fred"])(
    "passes a failure of %s on, and asks no further",
    async (failing) => {
      const inner = new Names(names, isLate);
      inner.failing = failing;
      await expect(async () => new DetailFallbackStore(inner, both).lookup(user("nope"), new Lookup())).rejects.toThrow(
        "down",
      );
      expect(inner.asked.at(-1)).toBe(failing);
    },
  );

  it("takes nothing but { exists: false } for absent", async () => {
    for (const nonsense of [undefined, null, {}, { exists: undefined }, { exists: 0 }]) {
      const inner = new Names(names, isLate);
      inner.lookup = () => (isLate ? Promise.resolve(nonsense) : nonsense) as unknown as MailboxFacts;
      const attempt = async () => new DetailFallbackStore(inner, both).lookup(user("Lists"), new Lookup());
      const outcome = await attempt().catch((error: unknown) => error);
      expect(outcome instanceof Error || outcome === nonsense).toBe(true);
      expect(inner.asked).toEqual([]);
    }
  });
});

describe("a store that cannot list folders", () => {
  it("knows a folder only as it is written", async () => {
    const inner: MailboxStore = new Names(names, false);
    delete (inner as { similarFolders?: unknown }).similarFolders;
    Object.defineProperty(inner, "similarFolders", { value: undefined });
    expect(await new DetailFallbackStore(inner, caseOnly).lookup(user("lists"), new Lookup())).toEqual({
      exists: false,
    });
  });
});
