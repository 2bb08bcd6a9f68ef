/**
 * Requests of the same tick share a transaction, which may have begun before one of them was sent. If a mailbox was
 * created, opened or emptied in between, mail to it must not be refused.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate as turn } from "node:timers/promises";
import type { Database } from "better-sqlite3";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { createNativeDatabase, openSqliteStore } from "../../../fixtures/sqlite-database.ts";
import { decide } from "../../../src/engine/verdict.ts";
import { Lookup } from "../../../src/store/lookup.ts";
import type { MailboxFacts, MailboxId, MailboxStore, SharedMailbox, UserMailbox } from "../../../src/store/store.ts";

const fred = user("fred");
const lists: SharedMailbox = { kind: "shared", domain: null, folders: ["Lists"], address: "", detail: "Lists" };

let directory: string;
let store: MailboxStore;
let writer: Database;

function user(name: string, ...folders: string[]): UserMailbox {
  return { kind: "user", user: name, domain: null, folders, address: name, detail: folders.join("/") || null };
}

function open(journal: string): void {
  const path = join(directory, "mailboxes.db");
  writer = createNativeDatabase(path);
  writer.pragma(`journal_mode = ${journal}`);
  writer.pragma("busy_timeout = 0");
  writer.exec(`INSERT INTO mailboxes (user, storage_limit, storage_used, message_limit, message_used)
    VALUES ('fred', 9, 1, 9, 1), ('wilma', 9, 10, NULL, 0), ('pebbles', NULL, 0, 9, 9);
    INSERT INTO mailboxes (folder, rights) VALUES ('Lists', NULL)`);
  store = openSqliteStore(path);
}

function verdictOn(mailbox: MailboxId) {
  return decide(mailbox, store.lookup(mailbox, new Lookup()) as MailboxFacts);
}

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "sqlite-freshness-"));
});

afterEach(async () => {
  vi.useRealTimers();
  writer.close();
  await store.close();
  rmSync(directory, { recursive: true });
});

/** Calls by other requests earlier in the same tick. */
const beginnings: Readonly<Record<string, () => void>> = {
  nothing() {},
  dataVersion: () => void store.dataVersion?.(),
  mailbox: () => void verdictOn(fred),
  unknown: () => void verdictOn(user("nobody")),
};
const sequences = Object.keys(beginnings).flatMap((first) =>
  Object.keys(beginnings).map((second) => [first, second] as const),
);

describe.each(["busy", "quiet"])("after a %s tick", (before) => {
  beforeEach(async () => {
    open("wal");
    await turn();
    if (before === "busy") for (let i = 0; i < 4; i++) verdictOn(fred);
    await turn();
    await turn();
  });

  describe.each(sequences)("and after %s and %s", (...sequence) => {
    it.each<[string, MailboxId, string, string]>([
      ["created", user("bambam"), "absent", "INSERT INTO mailboxes (user) VALUES ('bambam')"],
      ["opened", lists, "absent", "UPDATE mailboxes SET rights = 'lrp' WHERE folder = 'Lists'"],
      ["emptied", user("wilma"), "over-quota", "UPDATE mailboxes SET storage_used = 0 WHERE user = 'wilma'"],
      [
        "given more room",
        user("pebbles"),
        "over-quota",
        "UPDATE mailboxes SET message_limit = 10 WHERE user = 'pebbles'",
      ],
    ])("a mailbox that is %s accepts mail from then on", (_how, mailbox, refusal, sql) => {
      for (const name of sequence) beginnings[name]?.();
      expect(verdictOn(mailbox)).toBe(refusal);
      for (const name of sequence) beginnings[name]?.();
      writer.exec(sql);
      for (const name of sequence) beginnings[name]?.();
      expect(verdictOn(mailbox)).toBe("accept");
    });

    it("a folder that is created is among the similar ones", () => {
      for (const name of sequence) beginnings[name]?.();
      writer.exec("INSERT INTO mailboxes (user, folder) VALUES ('fred', 'Lists')");
      for (const name of sequence) beginnings[name]?.();
      expect(store.similarFolders?.(user("fred", "lists"), new Lookup())).toEqual([["Lists"]]);
    });
  });
});

it("a sole request in its tick holds no lock after its answer", async () => {
  open("delete");
  for (let i = 0; i < 3; i++) {
    await turn();
    await turn();
    expect(store.dataVersion?.()).toBe(null);
    expect(verdictOn(fred)).toBe("accept");
    writer.exec("UPDATE mailboxes SET storage_used = 2 WHERE user = 'fred'");
  }
});

it("look-ups succeed again in the tick in which a lock is released", async () => {
  vi.useFakeTimers({ toFake: ["performance"] });
  open("delete");
  for (let i = 0; i < 4; i++) verdictOn(fred);
  await turn();
  await turn();
  writer.exec("BEGIN EXCLUSIVE");
  const waiting = store.lookup(fred, new Lookup());
  expect(waiting).toBeInstanceOf(Promise);
  writer.exec("COMMIT");
  vi.advanceTimersByTime(100);
  for (let i = 0; i < 2; i++) expect(verdictOn(fred)).toBe("accept");
  expect(verdictOn(user("nobody"))).toBe("absent");
  expect(await waiting).toMatchObject({ exists: true });
});
