import { PassThrough } from "node:stream";
import { describe, expect, it } from "vitest";
import { createLog, type LogFormat, printable } from "../../src/log.ts";
import type { LogLevel } from "../../src/store/store.ts";

function logged(format: LogFormat, lowest: LogLevel, ...messages: readonly [LogLevel, string][]): string[] {
  const stream = new PassThrough();
  const log = createLog({ format, stream, ident: "smmapd[1]", lowest });
  for (const [level, message] of messages) log[level](message);
  stream.end();
  const text = String(stream.read() ?? "");
  return text.split("\n").slice(0, -1);
}

describe("log lines", () => {
  it("name who speaks and how urgent it is", () => {
    expect(logged("text", "info", ["notice", "listening on /run/x"])).toEqual([
      "smmapd[1]: notice: listening on /run/x",
    ]);
  });

  it("leave out what is less urgent than wanted", () => {
    const all: [LogLevel, string][] = (["error", "warning", "notice", "info", "debug"] as const).map((l) => [l, l]);
    expect(logged("text", "warning", ...all)).toEqual(["smmapd[1]: error: error", "smmapd[1]: warning: warning"]);
    expect(logged("text", "debug", ...all)).toHaveLength(5);
  });

  it("are one line, and drive no terminal, whatever the message holds", () => {
    const nasty = "a\nb\r\x1b[2J\x00\x7f\x9b\u2028c";
    expect(logged("text", "info", ["error", nasty])).toEqual([
      "smmapd[1]: error: a\\x0ab\\x0d\\x1b[2J\\x00\\x7f\\x9b\\x2028c",
    ]);
    const [line = ""] = logged("json", "info", ["error", nasty]);
    expect(JSON.parse(line)).toMatchObject({ level: "error", message: nasty });
    expect(line).toMatch(/^[\x20-\x7e]+$/);
  });

  it("leave text as it is", () => {
    expect(printable("Grüße, 日本 ☺")).toBe("Grüße, 日本 ☺");
  });
});
