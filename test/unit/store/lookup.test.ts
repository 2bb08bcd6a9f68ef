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

  it("is cancelled with the look-up that it was made from, through any number of levels", () => {
    const request = new Lookup();
    const leaf = new Lookup(new Lookup(request));
    const { signal } = leaf;
    request.abort("gone");
    expect(signal.reason).toBe("gone");
    expect(new Lookup(new Lookup(request)).signal.reason).toBe("gone");
  });

  it("is cancelled alone where it is cancelled by itself", () => {
    const request = new Lookup();
    const leaf = new Lookup(request);
    leaf.abort("timeout");
    expect(leaf.signal.reason).toBe("timeout");
    expect(request.signal.aborted).toBe(false);
  });

  it("follows the signal of a caller that is no Lookup", () => {
    const controller = new AbortController();
    const { signal } = new Lookup({ signal: controller.signal });
    controller.abort("closed");
    expect(signal.reason).toBe("closed");
    expect(new Lookup({ signal: controller.signal }).signal.reason).toBe("closed");
  });
});
