import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { RecyclePolicy } from "../../../src/daemon/recycling.ts";

const reasons: string[] = [];
const onLimit = (reason: string) => void reasons.push(reason);

beforeEach(() => {
  reasons.length = 0;
  vi.useFakeTimers();
});

afterEach(() => {
  vi.useRealTimers();
});

describe("the limit of connections (-U)", () => {
  it("is reached once", () => {
    const policy = new RecyclePolicy({ uses: 2, timeout: null, onLimit });
    policy.opened();
    policy.idle();
    expect(reasons).toEqual([]);
    policy.opened();
    policy.opened();
    expect(reasons).toEqual(["used for 2 connections"]);
  });

  it("is one for -U 0, as in the original", () => {
    new RecyclePolicy({ uses: 0, timeout: null, onLimit }).opened();
    expect(reasons).toEqual(["used for 1 connections"]);
  });

  it("can be absent", () => {
    const policy = new RecyclePolicy({ uses: null, timeout: null, onLimit });
    for (let i = 0; i < 10_000; i++) policy.opened();
    expect(reasons).toEqual([]);
  });
});

describe("the timeout (-T)", () => {
  it.each([
    [60, 0, 60],
    [60, 0.5, 90],
    [60, 0.999, 119],
    [1, 0.999, 1],
  ])("of %i s is spread by a random number: with %d it is %i s", (timeout, random, seconds) => {
    const policy = new RecyclePolicy({ uses: null, timeout, onLimit }, () => random);
    policy.opened();
    policy.idle();
    vi.advanceTimersByTime(seconds * 1000 - 1);
    expect(reasons).toEqual([]);
    vi.advanceTimersByTime(1);
    expect(reasons).toEqual([`no connection for ${seconds} s`]);
  });

  it("does not count before the first connection, nor while one is open", () => {
    const policy = new RecyclePolicy({ uses: null, timeout: 10, onLimit }, () => 0);
    vi.advanceTimersByTime(100_000);
    policy.opened();
    vi.advanceTimersByTime(100_000);
    policy.idle();
    vi.advanceTimersByTime(9_999);
    policy.opened();
    vi.advanceTimersByTime(100_000);
    expect(reasons).toEqual([]);
    policy.idle();
    vi.advanceTimersByTime(10_000);
    expect(reasons).toEqual(["no connection for 10 s"]);
  });

  it.each([0, null])("can be absent: %s", (timeout) => {
    const policy = new RecyclePolicy({ uses: null, timeout, onLimit });
    policy.opened();
    policy.idle();
    vi.runAllTimers();
    expect(reasons).toEqual([]);
  });

  it("does not start after the limit of connections was reached", () => {
    const policy = new RecyclePolicy({ uses: 1, timeout: 10, onLimit });
    policy.opened();
    policy.idle();
    expect(vi.getTimerCount()).toBe(0);
    expect(reasons).toHaveLength(1);
  });
});
