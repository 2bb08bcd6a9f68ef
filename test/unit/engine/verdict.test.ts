import { describe, expect, it } from "vitest";
import type { Unaddressable } from "../../../src/engine/recipient.ts";
import {
  decide,
  decideWithoutFacts,
  explain,
  type Failure,
  isExceeded,
  nameAsValue,
  replyTo,
  replyToBadProtocol,
  type Verdict,
} from "../../../src/engine/verdict.ts";
import type { MailboxFacts, MailboxId, MailboxPresent, QuotaUsage } from "../../../src/store/store.ts";

const inbox: MailboxId = {
  kind: "user",
  user: "fred",
  domain: null,
  folders: [],
  address: "fred",
  detail: null,
};
const shared: MailboxId = { kind: "shared", domain: null, folders: ["Public"], address: "", detail: "Public" };
const HUGE = Number.MAX_SAFE_INTEGER;

function present(rights: string | null, ...quotas: QuotaUsage[]): MailboxFacts {
  return { exists: true, rights, quotas };
}

function quota(resource: QuotaUsage["resource"], used: number, limit: number): QuotaUsage {
  return { root: "user.fred", resource, used, limit };
}

describe("quota", () => {
  it.each<[QuotaUsage["resource"], number, number, boolean]>([
    // STORAGE may reach its limit.
    ["STORAGE", 1023, 1024, false],
    ["STORAGE", 1024, 1024, false],
    ["STORAGE", 1025, 1024, true],
    ["STORAGE", 0, 0, false],
    ["STORAGE", 1, 0, true],
    ["STORAGE", HUGE - 1, HUGE, false],
    ["STORAGE", HUGE, HUGE, false],
    ["STORAGE", HUGE, HUGE - 1, true],
    ["STORAGE", 2 ** 32 + 1, 2 ** 32, true],
    ["STORAGE", 2 ** 32, 2 ** 32 + 1, false],
    ["STORAGE", 0, HUGE, false],
    // MESSAGE: there must be room for one more.
    ["MESSAGE", 1, 3, false],
    ["MESSAGE", 2, 3, false],
    ["MESSAGE", 3, 3, true],
    ["MESSAGE", 4, 3, true],
    ["MESSAGE", 0, 0, true],
    ["MESSAGE", 0, 1, false],
    ["MESSAGE", HUGE - 2, HUGE, false],
    ["MESSAGE", HUGE - 1, HUGE, false],
    ["MESSAGE", HUGE, HUGE, true],
  ])("%s %d of %d: exceeded is %s", (resource, used, limit, exceeded) => {
    expect(isExceeded(quota(resource, used, limit))).toBe(exceeded);
    expect(decide(inbox, present(null, quota(resource, used, limit)))).toBe(exceeded ? "over-quota" : "accept");
  });

  it.each<[QuotaUsage["resource"], number, number, number, Verdict]>([
    // The message must fit below or exactly to the limit.
    ["STORAGE", 1000, 1024, 0, "accept"],
    ["STORAGE", 1000, 1024, 24, "accept"],
    ["STORAGE", 1000, 1024, 25, "over-quota"],
    ["STORAGE", 1024, 1024, 1, "over-quota"],
    ["STORAGE", 0, 0, 1, "over-quota"],
    ["STORAGE", HUGE - 1, HUGE, HUGE, "over-quota"],
    ["STORAGE", 0, HUGE, Number.POSITIVE_INFINITY, "over-quota"],
    ["MESSAGE", 1, 2, 1_000_000, "accept"],
    ["MESSAGE", 2, 2, 1, "over-quota"],
  ])("%s %d of %d, a message of %d octets: %s", (resource, used, limit, size, verdict) => {
    expect(decide(inbox, present(null, quota(resource, used, limit)), size)).toBe(verdict);
  });

  it("is exceeded if any of several resources is, in any order", () => {
    const roomy = quota("STORAGE", 1, 1024);
    const full = quota("MESSAGE", 3, 3);
    expect(decide(inbox, present(null, roomy, full))).toBe("over-quota");
    expect(decide(inbox, present(null, full, roomy))).toBe("over-quota");
    expect(decide(inbox, present(null, roomy, quota("MESSAGE", 2, 3)))).toBe("accept");
    expect(decide(inbox, present(null))).toBe("accept");
  });
});

describe("rights and existence", () => {
  const full = quota("STORAGE", 1025, 1024);

  it.each<[string, MailboxId, MailboxFacts, Verdict]>([
    ["a user's mailbox that is not there", inbox, { exists: false }, "absent"],
    ["a shared folder that is not there", shared, { exists: false }, "absent"],
    ["a user's own mailbox", inbox, present(null), "accept"],
    ["a shared folder with p", shared, present("p"), "accept"],
    ["a shared folder with p among others", shared, present("lrsip"), "accept"],
    ["a shared folder with l, not p", shared, present("l"), "denied"],
    ["a shared folder with everything but p", shared, present("lrswikxtecda"), "denied"],
    ["a shared folder with neither", shared, present("rsa"), "absent"],
    ["a shared folder with no rights", shared, present(""), "absent"],
    ["capitals are no rights", shared, present("LRSP"), "absent"],
    ["asked as shared, of unknown rights", shared, present(null), "absent"],
    ["an ordinary address of a shared folder, with p", inbox, present("p"), "accept"],
    ["an ordinary address of a shared folder, with l", inbox, present("lrs"), "denied"],
    ["an ordinary address of a shared folder, with neither", inbox, present(""), "absent"],
    // Rights are checked before quota.
    ["full, with p", shared, present("lp", full), "over-quota"],
    ["full, with l", shared, present("l", full), "denied"],
    ["full, with neither", shared, present("", full), "absent"],
    ["full, asked as shared, of unknown rights", shared, present(null, full), "absent"],
  ])("%s", (_what, mailbox, facts, verdict) => {
    expect(decide(mailbox, facts)).toBe(verdict);
  });
});

describe("replies", () => {
  it.each<[Verdict | Failure, string, string]>([
    ["accept", "OK fred@dom.test", "OK fred@dom.test"],
    ["absent", "NOTFOUND Mailbox does not exist", "NOTFOUND Mailbox does not exist"],
    ["denied", "PERM Permission denied", "PERM Permission denied"],
    ["over-quota", "TEMP Over quota", "PERM Over quota"],
    ["failed", "TEMP Mailbox look-up failed, try again later", "TEMP Mailbox look-up failed, try again later"],
    [
      "timeout",
      "TIMEOUT Mailbox look-up took too long, try again later",
      "TIMEOUT Mailbox look-up took too long, try again later",
    ],
  ])("%s", (outcome, temporary, permanent) => {
    expect(replyTo(outcome, "fred@dom.test", { overQuotaIsPermanent: false, failureIsAccepted: false })).toBe(
      temporary,
    );
    expect(replyTo(outcome, "fred@dom.test", { overQuotaIsPermanent: true, failureIsAccepted: false })).toBe(permanent);
  });

  it("contain the key byte for byte", () => {
    const key = " Fr\xe9d+\xff@Dom ";
    expect(replyTo("accept", key, { overQuotaIsPermanent: false, failureIsAccepted: false })).toBe(`OK ${key}`);
  });

  it("contain the name of the mailbox as a byte string with smmap_reply_value: mailbox", () => {
    const lists: MailboxId = { ...inbox, folders: ["Entwürfe", "v1.2"], detail: "Entwürfe/v1.2" };
    const facts: MailboxPresent = { exists: true, rights: null, quotas: [] };
    expect(nameAsValue(lists, facts)).toBe("user.fred.Entw&APw-rfe.v1^2");
    expect(nameAsValue(lists, { ...facts, mailbox: inbox })).toBe("user.fred");
    expect(nameAsValue({ ...inbox, user: "fré", domain: "dom.test" }, facts)).toBe("dom.test!user.fr\xc3\xa9");
    expect(nameAsValue(shared, facts)).toBe("Public");
  });

  it("to a malformed request have the original's text", () => {
    expect(replyToBadProtocol("missing key")).toBe("PERM Bad protocol (missing key)");
  });
});

describe("explanations", () => {
  const nowhere: Unaddressable = { kind: "none", reason: "an empty domain" };

  it.each<[MailboxId | Unaddressable, MailboxFacts | null, string]>([
    [nowhere, null, "no mailbox can have this address: an empty domain"],
    [inbox, { exists: false }, "the store says that there is no such mailbox"],
    [inbox, null, "the store says that there is no such mailbox"],
    [shared, present(null), "a shared folder without rights counts as absent"],
    [shared, present("lrs"), "the folder may be seen (l) but not posted to (p)"],
    [shared, present("r"), "the folder may be neither seen (l) nor posted to (p), so it counts as absent"],
    [inbox, present(null), "the mailbox exists, may be posted to and is within its quota"],
    [shared, present("p"), "the mailbox exists, may be posted to and is within its quota"],
    [inbox, present(null, quota("STORAGE", 5, 4)), "quota root user.fred: 5 octets are over the limit of 4"],
    [
      inbox,
      present(null, quota("STORAGE", 4, 4), quota("MESSAGE", 2, 2)),
      "quota root user.fred: 2 messages and one more are over the limit of 2",
    ],
  ])("of case %#", (mailbox, facts, sentence) => {
    expect(explain(mailbox, facts)).toBe(sentence);
  });
});

describe("without facts", () => {
  it.each(["failed", "timeout"] as const)("%s is temporary, unless failures are accepted", (failure) => {
    const policy = { overQuotaIsPermanent: false, failureIsAccepted: false };
    expect(decideWithoutFacts(failure, policy)).toBe(failure);
    expect(decideWithoutFacts(failure, { ...policy, failureIsAccepted: true })).toBe("accept");
  });
});
