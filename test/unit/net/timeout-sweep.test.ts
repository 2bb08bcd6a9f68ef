import { describe, expect, it } from "vitest";
import { sweepsIn } from "../../../src/net/timeout-sweep.ts";

describe("sweepsIn", () => {
  it.each([
    [0, Number.POSITIVE_INFINITY],
    [1, 1],
    [1_000, 1],
    [1_001, 2],
  ])("converts a time-out of %d ms to %d sweeps that must be exceeded", (milliseconds, sweeps) => {
    expect(sweepsIn(milliseconds)).toBe(sweeps);
  });
});
