import { describe, expect, it } from "vitest";
import { type AccessTexts, actionFor, failureAction } from "../../../src/engine/access.ts";
import type { Verdict } from "../../../src/engine/verdict.ts";

const texts: AccessTexts = { absent: "Unknown", denied: "Not for you", overQuota: "Full", failed: "Later" };

describe("an action", () => {
  it.each<[Verdict, string, string]>([
    ["accept", "DUNNO", "DUNNO"],
    ["absent", "550 5.1.1 Unknown", "550 5.1.1 Unknown"],
    ["denied", "550 5.7.1 Not for you", "550 5.7.1 Not for you"],
    ["over-quota", "452 4.2.2 Full", "552 5.2.2 Full"],
  ])("for %s", (verdict, temporary, permanent) => {
    expect(actionFor(verdict, texts, { overQuotaIsPermanent: false, failureIsAccepted: false })).toBe(temporary);
    expect(actionFor(verdict, texts, { overQuotaIsPermanent: true, failureIsAccepted: false })).toBe(permanent);
  });

  it("for a failure neither rejects permanently nor accepts", () => {
    expect(failureAction(texts)).toBe("DEFER_IF_PERMIT 4.3.0 Later");
  });
});
