import { describe, expect, it } from "vitest";
import { Slowest } from "../../../src/metrics/slowest.ts";

const MINUTE = 60_000;

function offer(slowest: Slowest, milliseconds: number, at: number, key = "fred"): void {
  if (slowest.qualifies(milliseconds, at)) slowest.add({ key, map: "cyrus", reason: "accept", milliseconds, at });
}

const times = (slowest: Slowest, now: number) => slowest.list(now).map(({ milliseconds }) => milliseconds);

describe("Slowest", () => {
  it("keeps the slowest ten, slowest first", () => {
    const slowest = new Slowest();
    for (let i = 0; i < 1000; i++) offer(slowest, (i * 7) % 1000, i);
    expect(times(slowest, 1000)).toEqual([999, 998, 997, 996, 995, 994, 993, 992, 991, 990]);
  });

  it("excludes requests that are faster than all of them", () => {
    const slowest = new Slowest();
    for (let i = 10; i < 20; i++) offer(slowest, i, 0);
    expect(slowest.qualifies(10, 1)).toBe(false);
    expect(slowest.qualifies(10.1, 1)).toBe(true);
  });

  it("drops requests after ten minutes, and then accepts faster ones", () => {
    const slowest = new Slowest();
    for (let i = 0; i < 10; i++) offer(slowest, 500, i === 0 ? 0 : 5 * MINUTE);
    expect(times(slowest, 10 * MINUTE)).toHaveLength(9);
    offer(slowest, 3, 10 * MINUTE);
    expect(times(slowest, 10 * MINUTE)).toContain(3);
    expect(times(slowest, 15 * MINUTE)).toEqual([3]);
    expect(times(slowest, 20 * MINUTE)).toEqual([]);
  });

  it("truncates long keys", () => {
    const slowest = new Slowest();
    offer(slowest, 1, 0, "x".repeat(10_000));
    expect(slowest.list(0)[0]?.key).toBe("x".repeat(256));
  });
});
