/** The checker of the soak: which replies it accepts and which it reports. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Checker, type Memory } from "../../fixtures/soak/checker.ts";
import { FaultLog } from "../../fixtures/soak/faults.ts";
import { growthOf } from "../../fixtures/soak/memory.ts";
import { Model } from "../../fixtures/soak/model.ts";

const absent = "NOTFOUND Mailbox does not exist";
const failed = "TEMP Mailbox look-up failed, try again later";
const memory: Memory = { ttl: () => 1_000, staleTtl: 2_000, lookup: 500, quietLookup: 100 };

let model: Model;
let faultLog: FaultLog;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["performance"] });
  model = new Model();
  faultLog = new FaultLog();
});
afterEach(() => void vi.useRealTimers());

/** The result for a reply to a request that was sent `age` milliseconds ago. */
function check(reply: string | null, age: number, remembered: Memory | null = null) {
  const now = performance.now();
  const exchange = { lane: "test", key: "fred", sentAt: now - age, repliedAt: now, reply };
  return new Checker(model, faultLog, remembered).check(exchange);
}

function pass(milliseconds: number): void {
  vi.advanceTimersByTime(milliseconds);
}

describe("a reply", () => {
  beforeEach(() => {
    model.begin("fred", absent).confirm();
    pass(10_000);
  });

  it("is correct while it is true, and wrong otherwise", () => {
    expect([check(absent, 5), check("OK fred", 5), check("PERM Permission denied", 5)]).toEqual([
      "true",
      "wrong",
      "wrong",
    ]);
  });

  it("may be that of before or after a change while the change is in progress", () => {
    const change = model.begin("fred", "OK fred");
    pass(100);
    expect([check(absent, 50), check("OK fred", 50)]).toEqual(["true", "true"]);
    change.confirm();
    pass(100);
    expect([check(absent, 150), check("OK fred", 150)]).toEqual(["true", "true"]);
    expect([check(absent, 50), check("OK fred", 50)]).toEqual(["wrong", "true"]);
  });

  it("may be either after a change that was never confirmed, until the next one", () => {
    model.begin("fred", "OK fred");
    pass(10_000);
    expect([check(absent, 5), check("OK fred", 5)]).toEqual(["true", "true"]);
    model.begin("fred", "TEMP Over quota").confirm();
    pass(10);
    expect([check(absent, 5), check("OK fred", 5), check("TEMP Over quota", 5)]).toEqual(["wrong", "wrong", "true"]);
  });

  it("that accepts mail may be cached for its lifetime, and longer during a fault; one that refuses it may not", () => {
    model.begin("fred", "OK fred").confirm();
    pass(10);
    model.begin("fred", "TEMP Over quota").confirm();
    pass(1_050);
    expect([check("OK fred", 5), check("OK fred", 5, memory)]).toEqual(["wrong", "remembered"]);
    pass(100);
    expect(check("OK fred", 5, memory)).toBe("wrong");
    const over = faultLog.begin("a fault");
    pass(2_000);
    expect(check("OK fred", 5, memory)).toBe("remembered");
    pass(500);
    expect(check("OK fred", 5, memory)).toBe("wrong");
    expect(check(absent, 5, memory)).toBe("wrong");
    model.begin("fred", "OK fred").confirm();
    model.begin("fred", "TEMP Over quota").confirm();
    over();
    pass(1_400);
    expect(check("OK fred", 5, memory)).toBe("remembered");
    pass(200);
    expect(check("OK fred", 5, memory)).toBe("wrong");
  });

  it("of before a change is correct during the lag of the change, unless it is an absence", () => {
    model.begin("fred", "OK fred").confirm(500);
    pass(400);
    expect(check(absent, 5)).toBe("wrong");
    model.begin("fred", "TEMP Over quota").confirm(500);
    pass(400);
    expect(check("OK fred", 5)).toBe("true");
    pass(200);
    expect(check("OK fred", 5)).toBe("wrong");
  });

  it("that is a failure is excused during a fault only, and a missing reply never", () => {
    expect(check(failed, 5)).toBe("wrong");
    const over = faultLog.begin("a fault");
    expect(check(failed, 5)).toBe("excused");
    pass(10);
    over();
    pass(10);
    expect([check(failed, 15), check(failed, 5)]).toEqual(["excused", "wrong"]);
    expect(check(null, 1_000)).toBe("wrong");
  });
});

it("a wrong reply is described with the expected replies and the faults of the time", () => {
  model.begin("fred", absent).confirm();
  pass(1_000);
  model.begin("fred", "OK fred").confirm();
  faultLog.begin("cut");
  pass(1_000);
  const exchange = {
    lane: "test",
    key: "fred",
    sentAt: performance.now(),
    repliedAt: performance.now() + 2,
    reply: absent,
  };
  expect(new Checker(model, faultLog, null).describe(exchange)).toMatch(
    /^fred: NOTFOUND .*, after 0\.002 s, test, .*expected: NOTFOUND .* \(-2\.000 to -1\.000\), OK fred \(-1\.000 to now\); faults: cut \(-1\.000 to now\)$/,
  );
});

it("memory grows if its minima grow", () => {
  const saw = (slope: number) =>
    Array.from({ length: 80 }, (_, at) => ({ at, resident: 50 + slope * at, heap: 20 + (at % 10) + slope * at }));
  expect(growthOf(saw(0))).toEqual({ resident: 0, heap: 0 });
  expect(growthOf(saw(1))).toEqual({ resident: 40, heap: 40 });
});
