/** What the adapter takes for certain has to agree with the decision of the engine. */
import { describe, expect, it } from "vitest";
import { certainlyAccepts } from "../../../adapters/sqlite/acceptance.ts";
import { acceptsPosting } from "../../../src/engine/rights.ts";
import { decide } from "../../../src/engine/verdict.ts";
import type { MailboxFacts, MailboxId, QuotaUsage } from "../../../src/store/store.ts";

const user: MailboxId = { kind: "user", user: "fred", domain: null, folders: [], address: "fred", detail: null };
const shared: MailboxId = { kind: "shared", domain: null, folders: ["Lists"], address: "", detail: "Lists" };

const usages = [0, 1, 8, 9, 10, 11].flatMap((used) =>
  (["STORAGE", "MESSAGE"] as const).map((resource): QuotaUsage => ({ root: "r", resource, used, limit: 10 })),
);
const quotas: readonly (readonly QuotaUsage[])[] = [
  [],
  ...usages.flatMap((one) => usages.map((other) => [one, other])),
];
const present = [null, "", "l", "p", "lrp", "lr"].flatMap((rights) =>
  quotas.map((limited): MailboxFacts => ({ exists: true, rights, quotas: limited })),
);
const all: readonly MailboxFacts[] = [{ exists: false }, ...present];

describe.each([
  ["a user's mailbox", user],
  ["a shared folder", shared],
])("of %s", (_kind, mailbox) => {
  it("facts that certainly accept are always accepted, and there are some", () => {
    const certain = all.filter((facts) => certainlyAccepts(mailbox, facts));
    expect(certain.length).toBeGreaterThan(0);
    for (const facts of certain) expect(decide(mailbox, facts), JSON.stringify(facts)).toBe("accept");
  });

  it("posting is accepted where the verdict is neither absent nor denied", () => {
    for (const facts of all) {
      const isRefused = ["absent", "denied"].includes(decide(mailbox, facts));
      expect(facts.exists && acceptsPosting(mailbox, facts), JSON.stringify(facts)).toBe(!isRefused);
    }
  });
});
