import { describe, expect, it } from "vitest";
import { bounds, Histogram, quantile, total } from "../../../src/metrics/histogram.ts";

describe("Histogram", () => {
  it("counts a duration equal to a bound in the bucket of that bound", () => {
    const histogram = new Histogram();
    for (const bound of bounds) histogram.observe(bound);
    histogram.observe((bounds.at(-1) as number) + 1);
    expect(histogram.buckets).toEqual(Array.from({ length: bounds.length + 1 }, () => 1));
    expect(total(histogram)).toBe(bounds.length + 1);
  });

  it("sums the durations", () => {
    const histogram = new Histogram();
    for (const milliseconds of [1, 2, 0.5]) histogram.observe(milliseconds);
    expect(histogram.sum).toBe(3.5);
  });
});

describe("quantile", () => {
  const filled = (...observations: readonly number[]) => {
    const histogram = new Histogram();
    for (const milliseconds of observations) histogram.observe(milliseconds);
    return histogram;
  };

  it.each([
    [0.5, 0.25],
    [0.9, 0.25],
    [0.91, 100],
    [1, 100],
  ])("of %s is the bound within which that share lies", (share, expected) => {
    expect(quantile(filled(...Array.from({ length: 9 }, () => 0.2), 70), share)).toBe(expected);
  });

  it("is null without observations", () => expect(quantile(filled(), 0.5)).toBeNull());

  it("is infinite beyond the last bound", () => {
    expect(quantile(filled(60_000), 0.99)).toBe(Number.POSITIVE_INFINITY);
  });
});
