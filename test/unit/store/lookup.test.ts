import { describe, expect, it } from "vitest";
import { Lookup } from "../../../src/store/lookup.ts";

describe("Lookup", () => {
  it("aborts a signal that was read before", () => {
    const lookup = new Lookup();
    const { signal } = lookup;
    expect(signal.aborted).toBe(false);
    lookup.abort("late");
    expect(signal.reason).toBe("late");
    expect(lookup.signal).toBe(signal);
  });

  it("hands out an aborted signal after the abort, with the first reason", () => {
    const lookup = new Lookup();
    lookup.abort("first");
    lookup.abort("second");
    expect(lookup.signal.aborted).toBe(true);
    expect(lookup.signal.reason).toBe("first");
  });
});
