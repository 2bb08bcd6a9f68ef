import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Uses } from "../../../src/daemon/recycling.ts";

const reasons: string[] = [];
const onEnough = (reason: string) => void reasons.push(reason);

beforeEach(() => {
  reasons.length = 0;
  vi.useFakeTimers();
});

afterEach(() => {
  vi.useRealTimers();
});

describe("uses (-U)", () => {
  it("are enough once", () => {
    const uses = new Uses({ uses: 2, timeout: null, onEnough });
    uses.opened();
    uses.emptied();
    expect(reasons).toEqual([]);
    uses.opened();
    uses.opened();
    expect(reasons).toEqual(["used for 2 connections"]);
  });

  it("of none are one, as the original's", () => {
    new Uses({ uses: 0, timeout: null, onEnough }).opened();
    expect(reasons).toEqual(["used for 1 connections"]);
  });

  it("may be any number", () => {
    const uses = new Uses({ uses: null, timeout: null, onEnough });
    for (let i = 0; i < 10_000; i++) uses.opened();
    expect(reasons).toEqual([]);
  });
});

describe("the timeout (-T)", () => {
  it.each([
    [60, 0, 60],
    [60, 0.5, 90],
    [60, 0.999, 119],
    [1, 0.999, 1],
  ])("of %i s is between that and twice as much: with %d it is %i", (timeout, random, seconds) => {
    const uses = new Uses({ uses: null, timeout, onEnough }, () => random);
    uses.opened();
    uses.emptied();
    vi.advanceTimersByTime(seconds * 1000 - 1);
    expect(reasons).toEqual([]);
    vi.advanceTimersByTime(1);
    expect(reasons).toEqual([`no connection for ${seconds} s`]);
  });

  it("does not count before the first connection, nor while one is open", () => {
    const uses = new Uses({ uses: null, timeout: 10, onEnough }, () => 0);
    vi.advanceTimersByTime(100_000);
    uses.opened();
    vi.advanceTimersByTime(100_000);
    uses.emptied();
    vi.advanceTimersByTime(9_999);
    uses.opened();
    vi.advanceTimersByTime(100_000);
    expect(reasons).toEqual([]);
    uses.emptied();
    vi.advanceTimersByTime(10_000);
    expect(reasons).toEqual(["no connection for 10 s"]);
  });

  it.each([0, null])("may be none: %s", (timeout) => {
    const uses = new Uses({ uses: null, timeout, onEnough });
    uses.opened();
    uses.emptied();
    vi.runAllTimers();
    expect(reasons).toEqual([]);
  });

  it("does not count for a process that is used up", () => {
    const uses = new Uses({ uses: 1, timeout: 10, onEnough });
    uses.opened();
    uses.emptied();
    expect(vi.getTimerCount()).toBe(0);
    expect(reasons).toHaveLength(1);
  });
});
