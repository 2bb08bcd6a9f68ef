/** Values of a row: each type of SQLite, with its limits. */
import { describe, expect, it } from "vitest";
import { flagFrom, limitFrom, RowError, rightsFrom, textFrom, usageFrom } from "../../../adapters/sql/columns.ts";

const largest = Number.MAX_SAFE_INTEGER;
const blob = Buffer.from("1");
const noCount = [Number.NaN, Number.POSITIVE_INFINITY, 0.5, largest + 1, "1", "", "unlimited", blob];

describe("limits", () => {
  it.each([
    [null, 1, "zero", null],
    [-1, 1, "zero", null],
    [0, 1, "zero", 0],
    [0, 1, "unlimited", null],
    [1, 1, "zero", 1],
    [1, 1024, "unlimited", 1024],
    [largest, 1, "zero", largest],
  ] as const)("%s in units of %s, 0 being %s, is %s", (value, unit, zero, limit) => {
    expect(limitFrom(value, unit, zero, "quota_bytes")).toBe(limit);
  });

  it.each([...noCount, largest])("%s in units of 1024 is refused", (value) => {
    expect(() => limitFrom(value, 1024, "zero", "quota_kib")).toThrow(RowError);
    expect(() => limitFrom(value, 1024, "zero", "quota_kib")).toThrow(/^column quota_kib is /);
  });
});

describe("usage", () => {
  it.each([
    [null, 1, 0],
    [0, 1, 0],
    [3, 1024, 3072],
    [largest, 1, largest],
  ] as const)("%s in units of %s is %s", (value, unit, used) => {
    expect(usageFrom(value, unit, "used_bytes")).toBe(used);
  });

  it.each([...noCount, -1])("%s is refused", (value) => {
    expect(() => usageFrom(value, 1, "used_bytes")).toThrow(/^column used_bytes is .*, not a whole number/);
  });
});

describe("rights", () => {
  it.each([null, "", "p", "lrs", "lrswipkxtecda", "lrswipkxtecdan0123456789"])("%s are accepted", (value) => {
    expect(rightsFrom(value)).toBe(value);
  });

  it.each([1, blob, "post", "anyone p", "lrs ", "-p", "P"])("%s are refused", (value) => {
    expect(() => rightsFrom(value)).toThrow(/^column rights is .*, not letters of RFC 4314/);
  });
});

describe("other columns", () => {
  it("accept a number as a flag, and mailcow's 2 as yes", () => {
    expect([0, 1, 2].map((value) => flagFrom(value, "active"))).toEqual([false, true, true]);
    for (const value of [null, "1", "f", "", blob, Number.NaN]) {
      expect(() => flagFrom(value, "active"), String(value)).toThrow(/^column active is /);
    }
  });

  it("accept text as a name", () => {
    expect([textFrom("x", "mailbox"), textFrom(null, "mailbox")]).toEqual(["x", null]);
    for (const value of [1, blob]) expect(() => textFrom(value, "mailbox")).toThrow(/^column mailbox is .*, not text$/);
  });

  it("shorten a long value in the log", () => {
    expect(() => textFrom(blob, "mailbox")).toThrow("column mailbox is a blob, not text");
    expect(() => usageFrom("x".repeat(1000), 1, "used_bytes")).toThrow(/is the text 'x{40}…', not/);
    expect(() => flagFrom(null, "active")).toThrow("column active is NULL, not 0 or 1");
  });
});
