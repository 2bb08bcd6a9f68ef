import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { ThrottledLog, type ThrottleOptions } from "../../../src/store/kit/throttled-log.ts";
import type { Log } from "../../../src/store/store.ts";

function throttled(options?: ThrottleOptions): { readonly log: ThrottledLog; readonly lines: string[] } {
  const lines: string[] = [];
  const record = (level: string) => (text: string) => void lines.push(`${level} ${text}`);
  const log: Log = {
    error: record("error"),
    warning: record("warning"),
    notice: record("notice"),
    info: record("info"),
    debug: record("debug"),
  };
  return { log: new ThrottledLog(log, options), lines };
}

describe("ThrottledLog", () => {
  beforeEach(() => vi.useFakeTimers({ toFake: ["performance"] }));
  afterEach(() => vi.useRealTimers());

  it("suppresses a second line of a subject, and logs those of other subjects", () => {
    const { log, lines } = throttled();
    log.warn("one", "first");
    log.warn("one", "second");
    log.warn("two", "third");
    expect(lines).toEqual(["warning one: first", "warning two: third"]);
  });

  it("logs a subject again after 60 s", () => {
    const { log, lines } = throttled();
    log.warn("one", "first");
    vi.advanceTimersByTime(59_999);
    log.warn("one", "second");
    vi.advanceTimersByTime(1);
    log.warn("one", "third");
    expect(lines).toEqual(["warning one: first", "warning one: third"]);
  });

  it("logs a warning once where the interval is infinite", () => {
    const { log, lines } = throttled({ interval: Number.POSITIVE_INFINITY, maxSubjects: 2 });
    for (let day = 0; day < 3; day++) {
      for (const line of ["first", "second", "third"]) log.once(line);
      vi.advanceTimersByTime(86_400_000);
    }
    expect(lines).toEqual(["warning first", "warning second"]);
  });

  it("writes whole lines of any level, and returns whether a line was logged", () => {
    const { log, lines } = throttled({ interval: 10 });
    expect(log.write("error", "a failure", "store: a failure [unavailable]")).toBe(true);
    expect(log.write("error", "a failure", "store: a failure [unavailable]")).toBe(false);
    vi.advanceTimersByTime(10);
    expect(log.write("notice", "a failure", "the store answers again")).toBe(true);
    expect(lines).toEqual(["error store: a failure [unavailable]", "notice the store answers again"]);
  });

  it("counts the suppressed lines of a subject where that is wanted", () => {
    const { log, lines } = throttled({ interval: 10, countsSuppressed: true });
    const warnTimes = (count: number) => {
      for (let i = 0; i < count; i++) log.warn("one", "fails");
    };
    warnTimes(4);
    vi.advanceTimersByTime(10);
    warnTimes(1);
    vi.advanceTimersByTime(10);
    warnTimes(1);
    expect(lines).toEqual([
      "warning one: fails",
      "warning one: fails (3 more since the last such line)",
      "warning one: fails",
    ]);
  });

  it("logs each subject once with an infinite interval", () => {
    const { log, lines } = throttled({ interval: Number.POSITIVE_INFINITY });
    log.warn("one", "first");
    vi.advanceTimersByTime(1e9);
    log.warn("one", "second");
    expect(lines).toEqual(["warning one: first"]);
  });

  it("suppresses further subjects while as many as it remembers are within the interval", () => {
    const { log, lines } = throttled({ interval: 10, maxSubjects: 2 });
    log.warn("one", "1");
    vi.advanceTimersByTime(5);
    log.warn("two", "2");
    log.warn("three", "3");
    vi.advanceTimersByTime(5);
    log.warn("three", "4");
    log.warn("four", "5");
    log.warn("two", "6");
    expect(lines).toEqual(["warning one: 1", "warning two: 2", "warning three: 4"]);
  });
});
