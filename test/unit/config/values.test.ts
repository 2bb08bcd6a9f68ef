/** Expected values were measured with cyr_info of Cyrus 3.6.1; those of BYTESIZE, which it lacks, are from the source of 3.12. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { bytes, choice, duration, integer, switchType } from "../../../src/config/values.ts";

describe("INT", () => {
  it.each<[text: string, value: number | null]>([
    ["0", 0],
    ["-0", 0],
    ["42", 42],
    ["+7", 7],
    ["-3", -3],
    ["010", 8],
    ["0x1f", 31],
    ["0X1F", 31],
    ["-0x10", -16],
    ["2147483647", 2147483647],
    ["2147483648", null],
    ["08", null],
    ["1k", null],
    ["1e3", null],
    ["1.0", null],
    ["0x", null],
    ["- 3", null],
    ["1 2", null],
    ["none", null],
  ])("%j is %j", (text, value) => {
    expect(integer.parse(text, [])).toBe(value);
  });
});

describe("SWITCH", () => {
  it.each(["0", "n", "no", "nope", "off", "offish", "of", "f", "false", "00"])("%j is off", (text) => {
    expect(switchType.parse(text, [])).toBe(false);
  });
  it.each(["1", "y", "yes", "yup", "on", "onward", "t", "tru", "true", "10"])("%j is on", (text) => {
    expect(switchType.parse(text, [])).toBe(true);
  });
  it.each(["Yes", "ON", "On", "Off", "enabled", "2", "o", "-1"])("%j is refused", (text) => {
    expect(switchType.parse(text, [])).toBeNull();
  });
});

describe("ENUM and STRINGLIST", () => {
  const virtdomains = ["off", "userid", "on"];
  const engines = ["mysql", "pgsql", "sqlite"];
  it.each<[text: string, words: readonly string[], value: string | null]>([
    ["userid", virtdomains, "userid"],
    ["on", virtdomains, "on"],
    ["1", virtdomains, "on"],
    ["yes", virtdomains, "on"],
    ["t", virtdomains, "on"],
    ["true", virtdomains, "on"],
    ["off", virtdomains, "off"],
    ["0", virtdomains, "off"],
    ["no", virtdomains, "off"],
    ["f", virtdomains, "off"],
    ["false", virtdomains, "off"],
    ["y", virtdomains, null],
    ["Userid", virtdomains, null],
    ["userid x", virtdomains, null],
    ["sqlite", engines, "sqlite"],
    ["SQLite", engines, null],
    ["sqlite mysql", engines, null],
    ["no", engines, null],
    ["1", engines, null],
  ])("%j of %j is %j", (text, words, value) => {
    expect(choice.parse(text, words)).toBe(value);
  });
});

describe("DURATION", () => {
  it.each<[text: string, seconds: number | null]>([
    ["4s", 4],
    ["2m", 120],
    ["1h30m", 5400],
    ["1h30", 3630],
    ["1s1s", 2],
    ["1d", 86400],
    ["1d1h1m1s", 90061],
    ["1s1d", 86401],
    ["0", 0],
    ["007", 7],
    ["-1", -1],
    ["-1m30", -90],
    ["-0", 0],
    ["1.5h", null],
    ["1w", null],
    ["32M", null],
    ["5 s", null],
    ["s", null],
    ["-", null],
    ["-s", null],
    ["--1", null],
    ["+1", null],
    ["1hm", null],
    ["1-1", null],
    ["2147483647", 2147483647],
    ["2147483648", null],
    ["99999d", null],
  ])("%j is %j", (text, seconds) => {
    expect(duration.parse(text, [])).toBe(seconds);
  });
});

describe("BYTESIZE", () => {
  it.each<[text: string, octets: number | null]>([
    ["0", 0],
    ["10000", 10000],
    ["16KiB", 16384],
    ["16K", 16384],
    ["16kb", 16384],
    ["16 kIb", 16384],
    ["1\tM", 1048576],
    ["2G", 2147483648],
    ["-1", -1],
    ["+1k", 1024],
    ["7B", 7],
    ["9007199254740991", 9007199254740991],
    ["9007199254740992", null],
    ["8388608G", null],
    ["5i", null],
    ["5iB", null],
    ["1T", null],
    ["1.5M", null],
    ["K", null],
    ["16 K B", null],
    ["1 6", null],
    ["- 1", null],
  ])("%j is %j", (text, octets) => {
    expect(bytes.parse(text, [])).toBe(octets);
  });
});

it("any text is a finite number or refused", () => {
  const text = fc.oneof(fc.string(), fc.stringMatching(/^[-+ ]?[0-9dhmskgibxKMGIB ]{0,24}$/));
  fc.assert(
    fc.property(text, (value) => {
      for (const type of [integer, duration, bytes]) {
        const parsed = type.parse(value, []);
        expect(parsed === null || Number.isSafeInteger(parsed)).toBe(true);
      }
    }),
  );
});
