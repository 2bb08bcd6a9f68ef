import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { total } from "../../../src/metrics/histogram.ts";
import { Tally } from "../../../src/metrics/tally.ts";
import { version } from "../../../src/metrics/version.ts";
import type { Log } from "../../../src/store/store.ts";

describe("Tally", () => {
  it("counts each reply in all of its counters", () => {
    const tally = new Tally();
    const since = performance.now() - 50;
    tally.replied({ map: "cyrus", key: "fred" }, since, "OK", "accept");
    tally.replied({ map: "cyrus", key: "barney" }, since, "TEMP", "failed");
    expect(tally.replies.list().map(({ status, count }) => [status, count])).toEqual([
      ["OK", 1],
      ["TEMP", 1],
    ]);
    expect(total(tally.requestTimes)).toBe(2);
    expect(tally.requestTimes.sum).toBeGreaterThanOrEqual(100);
    const now = performance.now();
    expect(tally.requestRate.perSecond(now)).toBe(2 * tally.failureRate.perSecond(now));
    expect(tally.failureRate.perSecond(now)).toBeGreaterThan(0);
    const slowest = tally.slowest.list(now).map(({ key, reason }) => `${key} ${reason}`);
    expect(slowest.sort()).toEqual(["barney failed", "fred accept"]);
  });

  it("counts the look-ups of the store", () => {
    const tally = new Tally();
    const store = tally.store("ldap");
    store.answered(3);
    store.answered(null);
    tally.replied({ map: "cyrus", key: "fred" }, performance.now() - 1000, "OK", "accept");
    tally.replied({ map: "cyrus", key: "fred" }, performance.now(), "OK", "accept");
    store.failed("timeout");
    store.failed("timeout");
    store.shortCircuited();
    expect(total(store.times)).toBe(2);
    expect(store.times.sum).toBeGreaterThanOrEqual(1003);
    expect(store.errors).toEqual({
      unavailable: 0,
      timeout: 2,
      denied: 0,
      "invalid-data": 0,
      internal: 0,
      closed: 0,
    });
    expect(store.shortCircuits).toBe(1);
  });

  it("records the last errors and warnings, and passes all messages on", () => {
    const lines: string[] = [];
    const write = (level: string) => (message: string) => void lines.push(`${level} ${message}`);
    const log: Log = {
      error: write("error"),
      warning: write("warning"),
      notice: write("notice"),
      info: write("info"),
      debug: write("debug"),
    };
    const { recentProblems } = new Tally();
    const heard = recentProblems.record(log);
    for (const level of ["notice", "info", "debug"] as const) heard[level]("nothing");
    for (let i = 0; i < 8; i++) heard.warning(`w${i}`);
    for (let i = 0; i < 4; i++) heard.error(`e${i}`);
    heard.error("x".repeat(5000));
    expect(lines).toHaveLength(16);
    const remembered = recentProblems.list();
    expect(remembered).toHaveLength(10);
    expect(remembered[0]?.message).toHaveLength(1000);
    expect(remembered.slice(1).map(({ level, message }) => `${level} ${message}`)).toEqual([
      ...["e3", "e2", "e1", "e0"].map((message) => `error ${message}`),
      ...["w7", "w6", "w5", "w4", "w3"].map((message) => `warning ${message}`),
    ]);
  });
});

describe("version", () => {
  it("is that of the package", () => {
    const { version: packaged } = JSON.parse(readFileSync(new URL("../../../package.json", import.meta.url), "utf8"));
    expect(version).toBe(packaged);
  });
});
