import { describe, expect, it } from "vitest";
import { Deadlines } from "../../../src/store/kit/deadlines.ts";

describe("Deadlines", () => {
  it("expire in the order in which they were added, and never after they were removed", async () => {
    const deadlines = new Deadlines(15);
    const expired: string[] = [];
    deadlines.add(() => expired.push("a"));
    const removed = deadlines.add(() => expired.push("removed"));
    await new Promise<void>((resolve) => {
      deadlines.add(() => {
        expired.push("b");
        deadlines.add(resolve);
      });
      deadlines.remove(removed);
    });
    expect(expired).toEqual(["a", "b"]);
  });
});
