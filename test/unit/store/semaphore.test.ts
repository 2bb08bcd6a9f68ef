import { describe, expect, it } from "vitest";
import { deferToNextTick } from "../../../src/net/tick-scheduler.ts";
import { Semaphore, type SlotWaiter } from "../../../src/store/kit/semaphore.ts";

/** Records its name when it is called, and acquires so many slots in all, one for each call. */
function waiter(name: string, semaphore: Semaphore, wanted: number, calls: string[]): SlotWaiter {
  let rest = wanted;
  const self: SlotWaiter = {
    onSlot() {
      calls.push(name);
      if (rest === 0) return;
      semaphore.acquire();
      if (--rest > 0) semaphore.enqueue(self);
    },
  };
  return self;
}

/** Until no deferred work is left. */
async function ticksPass(): Promise<void> {
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
}

describe("a semaphore that defers its calls", () => {
  it("gives one slot to each waiter in turn", async () => {
    const semaphore = new Semaphore(1, deferToNextTick);
    const calls: string[] = [];
    expect(semaphore.isFree).toBe(true);
    semaphore.acquire();
    expect(semaphore.isFree).toBe(false);
    for (const name of ["a", "b"]) semaphore.enqueue(waiter(name, semaphore, 2, calls));
    for (let i = 0; i < 4; i++) {
      semaphore.release(1);
      // Waiters precede other callers.
      expect(semaphore.isFree).toBe(false);
      await ticksPass();
    }
    expect(calls).toEqual(["a", "b", "a", "b"]);
    semaphore.release(1);
    expect(semaphore.isFree).toBe(true);
  });

  it("passes a slot on when waiters are cancelled or do not acquire it", async () => {
    const semaphore = new Semaphore(1, deferToNextTick);
    const calls: string[] = [];
    semaphore.acquire();
    const cancelled = waiter("cancelled", semaphore, 1, calls);
    semaphore.enqueue(cancelled);
    for (let i = 0; i < 200; i++) semaphore.enqueue(waiter("idle", semaphore, 0, calls));
    semaphore.enqueue(waiter("last", semaphore, 1, calls));
    semaphore.cancel(cancelled);
    semaphore.release(1);
    await ticksPass();
    expect(calls).toEqual([...Array.from({ length: 200 }, () => "idle"), "last"]);
  });

  it("calls waiters when it gets more slots", async () => {
    const semaphore = new Semaphore(0, deferToNextTick);
    const calls: string[] = [];
    for (const name of ["a", "b", "c"]) semaphore.enqueue(waiter(name, semaphore, 1, calls));
    semaphore.resize(2);
    expect(calls).toEqual([]);
    await ticksPass();
    expect(calls).toEqual(["a", "b"]);
  });
});

describe("a semaphore that calls at once", () => {
  it("calls the waiters that a released slot suffices for before `release` returns", () => {
    const semaphore = new Semaphore(2);
    const calls: string[] = [];
    semaphore.acquire();
    semaphore.acquire();
    semaphore.enqueue(waiter("idle", semaphore, 0, calls));
    for (const name of ["a", "b"]) semaphore.enqueue(waiter(name, semaphore, 1, calls));
    semaphore.release();
    expect(calls).toEqual(["idle", "a"]);
    semaphore.release();
    expect(calls).toEqual(["idle", "a", "b"]);
    semaphore.release(2);
    expect(semaphore.isFree).toBe(true);
  });
});
