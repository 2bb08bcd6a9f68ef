import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  bareFormat,
  type Entry,
  entryOf,
  jsonFormat,
  MESSAGE_MAX,
  prefixFormat,
  textFormat,
} from "../../../src/log/entry.ts";
import { printable } from "../../../src/log/printable.ts";

const nasty = "a\nb\r\x1b[2J\x00\x7f\x9b\u2028\u202e\ud800c";
const entry = (message: string): Entry => ({ time: 0, level: "notice", message });

describe("printable text", () => {
  it("is one line without control characters", () => {
    expect(printable(nasty)).toBe("a\\x0ab\\x0d\\x1b[2J\\x00\\x7f\\x9b\\u2028\\u202e\\ud800c");
  });

  it("is otherwise unchanged", () => {
    expect(printable("Grüße, 日本 ☺ <fred@example.org>")).toBe("Grüße, 日本 ☺ <fred@example.org>");
  });
});

describe("lines", () => {
  it("of text contain the name of the process and the level", () => {
    expect(textFormat("smmap[1]")(entry("listening"))).toBe("smmap[1]: notice: listening");
  });

  it("of JSON contain the original message, and no characters that a terminal interprets", () => {
    const line = jsonFormat(entry(nasty));
    expect(JSON.parse(line)).toEqual({ time: "1970-01-01T00:00:00.000Z", level: "notice", message: nasty });
    expect(line).toMatch(/^[\x20-\x7e]+$/);
  });

  it.each([
    [2, "error", 19],
    [2, "warning", 20],
    [2, "notice", 21],
    [2, "info", 22],
    [22, "debug", 183],
    [0, "notice", 5],
  ] as const)("start with a priority: facility %d, %s", (facility, level, priority) => {
    expect(prefixFormat(facility, bareFormat)({ time: 0, level, message: "x" })).toBe(`<${priority}>x`);
  });

  it.each([textFormat("smmap[1]"), jsonFormat, bareFormat, prefixFormat(2, bareFormat)])(
    "are one line: %o",
    (format) => {
      expect(format(entry(nasty))).not.toMatch(/[\n\r\u2028\u2029]/);
    },
  );
});

describe("any message", () => {
  const formats = [textFormat("smmap[1]"), jsonFormat, prefixFormat(2, bareFormat), prefixFormat(0, jsonFormat)];
  const syslogMax = 32 * 1024;

  it("is one line of harmless characters within the limit of syslog daemons", () => {
    const message = fc.oneof(fc.string({ unit: "binary", maxLength: 300 }), fc.string({ maxLength: 20_000 }));
    fc.assert(
      fc.property(message, (text) => {
        for (const format of formats) {
          const line = format(entryOf("notice", text));
          expect(line).not.toMatch(/[\p{Cc}\p{Cs}\p{Bidi_Control}\u2028\u2029]/u);
        }
        const line = bareFormat(entryOf("notice", text));
        expect(Buffer.byteLength(line)).toBeLessThanOrEqual(syslogMax);
      }),
    );
  });

  it.each(["\0", "\u2028", "\ud800", "\u0085"])("stays within the limit when it consists of %j", (char) => {
    const line = bareFormat(entryOf("notice", char.repeat(20_000)));
    expect(Buffer.byteLength(line)).toBeLessThanOrEqual(syslogMax);
  });
});

describe("an entry", () => {
  it("has its message unchanged, up to a maximum length", () => {
    const longest = "x".repeat(MESSAGE_MAX);
    expect(entryOf("info", longest).message).toBe(longest);
    const cut = entryOf("info", `${longest}x`).message;
    expect(cut).toMatch(/^x+… \(cut\)$/);
    expect(Buffer.byteLength(cut)).toBe(MESSAGE_MAX);
  });

  it.each(["ß", "日", "😀"])("is cut between characters of %s", (char) => {
    const { message } = entryOf("info", `x${char.repeat(MESSAGE_MAX)}`);
    expect(message).toMatch(new RegExp(`^x(${char})+… \\(cut\\)$`, "u"));
    expect(Buffer.byteLength(message)).toBeLessThanOrEqual(MESSAGE_MAX);
    expect(Buffer.byteLength(message)).toBeGreaterThan(MESSAGE_MAX - 8);
  });
});
