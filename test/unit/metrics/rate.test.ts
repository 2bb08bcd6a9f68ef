import { describe, expect, it } from "vitest";
import { Rate } from "../../../src/metrics/rate.ts";

const START = 1_000_000;

/** A rate after `perSecond` events per second for a number of seconds. */
function steady(seconds: number, perSecond: number): Rate {
  const rate = new Rate(START);
  for (let i = 0; i < seconds * perSecond; i++) rate.count(START + (i * 1000) / perSecond);
  return rate;
}

describe("Rate", () => {
  it("is zero at first", () => expect(new Rate(START).perSecond(START)).toBe(0));

  it.each([2, 30, 60, 64.5, 61, 300])("is correct after %s seconds", (seconds) => {
    expect(steady(seconds, 20).perSecond(START + seconds * 1000)).toBeCloseTo(20, 5);
  });

  it("ignores what is more than a minute old", () => {
    const rate = steady(60, 20);
    expect(rate.perSecond(START + 90_000)).toBeGreaterThan(8);
    expect(rate.perSecond(START + 90_000)).toBeLessThan(12);
    expect(rate.perSecond(START + 126_000)).toBe(0);
    rate.count(START + 10_000_000);
    expect(rate.perSecond(START + 10_000_000)).toBeCloseTo(1 / 60, 2);
  });

  it("is not extrapolated in the first second", () => {
    expect(steady(1, 1).perSecond(START + 10)).toBe(1);
  });
});
