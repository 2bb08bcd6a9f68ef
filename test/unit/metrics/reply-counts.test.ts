import { describe, expect, it } from "vitest";
import { noMap, ReplyCounts } from "../../../src/metrics/reply-counts.ts";

describe("ReplyCounts", () => {
  it("counts by map, status and reason", () => {
    const counts = new ReplyCounts();
    counts.count("cyrus", "OK", "accept");
    counts.count("cyrus", "OK", "accept");
    counts.count("cyrus", "TEMP", "over-quota");
    counts.count("cyrus", "TEMP", "failed");
    counts.count("other", "OK", "accept");
    counts.count(noMap, "PERM", "protocol");
    expect(counts.list()).toEqual([
      { map: noMap, status: "PERM", reason: "protocol", count: 1 },
      { map: "cyrus", status: "OK", reason: "accept", count: 2 },
      { map: "cyrus", status: "TEMP", reason: "over-quota", count: 1 },
      { map: "cyrus", status: "TEMP", reason: "failed", count: 1 },
      { map: "other", status: "OK", reason: "accept", count: 1 },
    ]);
  });

  it("is bounded for any number of maps, and counts expected maps separately", () => {
    const counts = new ReplyCounts();
    counts.expect("access");
    for (let i = 0; i < 1000; i++) counts.count(`map${i}`, "OK", "accept");
    counts.count("access", "DUNNO", "accept");
    const list = counts.list();
    expect(new Set(list.map(({ map }) => map)).size).toBeLessThanOrEqual(17);
    expect(list.reduce((sum, { count }) => sum + count, 0)).toBe(1001);
    expect(list).toContainEqual({ map: "access", status: "DUNNO", reason: "accept", count: 1 });
    expect(list.find(({ map }) => map === "(other)")?.count).toBeGreaterThan(900);
  });

  it.each(["", "a b", "\x1b[2J", "x".repeat(65), '"', "(policy) "])("does not count %j as a map of its own", (map) => {
    const counts = new ReplyCounts();
    counts.count(map, "OK", "accept");
    expect(counts.list()).toEqual([{ map: "(other)", status: "OK", reason: "accept", count: 1 }]);
  });

  it("counts maps named like properties of Object", () => {
    const counts = new ReplyCounts();
    counts.count("__proto__", "OK", "accept");
    counts.count("constructor", "OK", "accept");
    expect(counts.list().map(({ map, count }) => [map, count])).toEqual([
      ["__proto__", 1],
      ["constructor", 1],
    ]);
  });
});
