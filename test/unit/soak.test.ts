/** The judge of the soak: what it lets pass, and what it does not. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Judge, type Memory } from "../../fixtures/soak/judge.ts";
import { growthOf } from "../../fixtures/soak/memory.ts";
import { TroubleRecord } from "../../fixtures/soak/trouble.ts";
import { Timeline } from "../../fixtures/soak/truth.ts";

const absent = "NOTFOUND Mailbox does not exist";
const failed = "TEMP Mailbox look-up failed, try again later";
const memory: Memory = { ttl: () => 1_000, staleTtl: 2_000, lookup: 500, quietLookup: 100 };

let timeline: Timeline;
let troubles: TroubleRecord;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["performance"] });
  timeline = new Timeline();
  troubles = new TroubleRecord();
});
afterEach(() => void vi.useRealTimers());

/** What is thought of a reply to a question that was asked so many milliseconds ago. */
function judge(reply: string | null, age: number, remembered: Memory | null = null) {
  const now = performance.now();
  const exchange = { lane: "test", key: "fred", sentAt: now - age, repliedAt: now, reply };
  return new Judge(timeline, troubles, remembered).judge(exchange);
}

function pass(milliseconds: number): void {
  vi.advanceTimersByTime(milliseconds);
}

describe("a reply", () => {
  beforeEach(() => {
    timeline.begin("fred", absent).confirm();
    pass(10_000);
  });

  it("is right while it is true, and wrong when it is not", () => {
    expect([judge(absent, 5), judge("OK fred", 5), judge("PERM Permission denied", 5)]).toEqual([
      "true",
      "wrong",
      "wrong",
    ]);
  });

  it("may be of before a change or of after it while that is under way", () => {
    const change = timeline.begin("fred", "OK fred");
    pass(100);
    expect([judge(absent, 50), judge("OK fred", 50)]).toEqual(["true", "true"]);
    change.confirm();
    pass(100);
    expect([judge(absent, 150), judge("OK fred", 150)]).toEqual(["true", "true"]);
    expect([judge(absent, 50), judge("OK fred", 50)]).toEqual(["wrong", "true"]);
  });

  it("may be either after a change that was never confirmed, until the next one", () => {
    timeline.begin("fred", "OK fred");
    pass(10_000);
    expect([judge(absent, 5), judge("OK fred", 5)]).toEqual(["true", "true"]);
    timeline.begin("fred", "TEMP Over quota").confirm();
    pass(10);
    expect([judge(absent, 5), judge("OK fred", 5), judge("TEMP Over quota", 5)]).toEqual(["wrong", "wrong", "true"]);
  });

  it("that takes mail may be remembered for its time, and longer in trouble; one that refuses it never", () => {
    timeline.begin("fred", "OK fred").confirm();
    pass(10);
    timeline.begin("fred", "TEMP Over quota").confirm();
    pass(1_050);
    expect([judge("OK fred", 5), judge("OK fred", 5, memory)]).toEqual(["wrong", "remembered"]);
    pass(100);
    expect(judge("OK fred", 5, memory)).toBe("wrong");
    const over = troubles.begin("a fault");
    pass(2_000);
    expect(judge("OK fred", 5, memory)).toBe("remembered");
    pass(500);
    expect(judge("OK fred", 5, memory)).toBe("wrong");
    expect(judge(absent, 5, memory)).toBe("wrong");
    timeline.begin("fred", "OK fred").confirm();
    timeline.begin("fred", "TEMP Over quota").confirm();
    over();
    pass(1_400);
    expect(judge("OK fred", 5, memory)).toBe("remembered");
    pass(200);
    expect(judge("OK fred", 5, memory)).toBe("wrong");
  });

  it("of before may be told for the lag of a change, but for an absence", () => {
    timeline.begin("fred", "OK fred").confirm(500);
    pass(400);
    expect(judge(absent, 5)).toBe("wrong");
    timeline.begin("fred", "TEMP Over quota").confirm(500);
    pass(400);
    expect(judge("OK fred", 5)).toBe("true");
    pass(200);
    expect(judge("OK fred", 5)).toBe("wrong");
  });

  it("that is a failure is excused by trouble alone, and none by nothing", () => {
    expect(judge(failed, 5)).toBe("wrong");
    const over = troubles.begin("a fault");
    expect(judge(failed, 5)).toBe("excused");
    pass(10);
    over();
    pass(10);
    expect([judge(failed, 15), judge(failed, 5)]).toEqual(["excused", "wrong"]);
    expect(judge(null, 1_000)).toBe("wrong");
  });
});

it("a wrong reply is told with its truths and troubles", () => {
  timeline.begin("fred", absent).confirm();
  pass(1_000);
  timeline.begin("fred", "OK fred").confirm();
  troubles.begin("cut");
  pass(1_000);
  const exchange = {
    lane: "test",
    key: "fred",
    sentAt: performance.now(),
    repliedAt: performance.now() + 2,
    reply: absent,
  };
  expect(new Judge(timeline, troubles, null).tell(exchange)).toMatch(
    /^fred: NOTFOUND .*, after 0\.002 s, test, .*truths: NOTFOUND .* \(-2\.000 to -1\.000\), OK fred \(-1\.000 to now\); troubles: cut \(-1\.000 to now\)$/,
  );
});

it("memory grows if its low marks do", () => {
  const saw = (slope: number) =>
    Array.from({ length: 80 }, (_, at) => ({ at, resident: 50 + slope * at, heap: 20 + (at % 10) + slope * at }));
  expect(growthOf(saw(0))).toEqual({ resident: 0, heap: 0 });
  expect(growthOf(saw(1))).toEqual({ resident: 40, heap: 40 });
});
