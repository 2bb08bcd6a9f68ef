import { describe, expect, it } from "vitest";
import { deferToNextTick, onTickEnd, tick } from "../../../src/net/tick-scheduler.ts";

/** Until no deferred work is left. */
async function ticksPass(): Promise<void> {
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
}

describe("the tick scheduler", () => {
  it("calls back at the end of a tick before deferred work resumes", async () => {
    const events: string[] = [];
    const before = tick;
    deferToNextTick({ resume: () => events.push(`resumed in ${tick - before}`) });
    onTickEnd(() => events.push(`ended in ${tick - before}`));
    expect(events).toEqual([]);
    await ticksPass();
    expect(events).toEqual(["ended in 0", "resumed in 1"]);
  });

  it("resumes work that takes long in one tick each, in the order in which it was deferred", async () => {
    const events: string[] = [];
    const work = (name: string) => ({
      resume() {
        events.push(`${name} in ${tick - before}`);
        const end = performance.now() + 3;
        while (performance.now() < end);
      },
    });
    const before = tick;
    for (const name of ["a", "b", "c"]) deferToNextTick(work(name));
    await ticksPass();
    expect(events).toEqual(["a in 1", "b in 2", "c in 3"]);
  });
});
