import { describe, expect, it } from "vitest";
import { parseOptions } from "../../../src/commands/options.ts";
import { UsageError } from "../../../src/io.ts";

const kinds = { "-C": "value", "-D": "flag", "--json": "flag", "--socket": "value" } as const;

describe("parseOptions", () => {
  it("takes options as separate words, and words between them", () => {
    const { given, values, words } = parseOptions(["-C", "/etc/x", "fred", "-D", "--json", "-"], kinds);
    expect([...given]).toEqual(["-C", "-D", "--json"]);
    expect(values).toEqual({ "-C": "/etc/x" });
    expect(words).toEqual(["fred", "-"]);
  });

  it("takes the next word as an argument, whatever it looks like", () => {
    expect(parseOptions(["-C", "-D"], kinds).values).toEqual({ "-C": "-D" });
  });

  it("takes the argument of a long option as the next word or behind an equals sign", () => {
    expect(parseOptions(["--socket", "/run/x"], kinds).values).toEqual({ "--socket": "/run/x" });
    expect(parseOptions(["--socket=/run/x"], kinds).values).toEqual({ "--socket": "/run/x" });
  });

  it("refuses an argument of a long option that takes none", () => {
    expect(() => parseOptions(["--json=yes"], kinds)).toThrow("option --json takes no argument");
  });

  it("ends the options at --", () => {
    expect(parseOptions(["-D", "--", "-C", "x"], kinds).words).toEqual(["-C", "x"]);
  });

  it.each([["-C/etc/x"], ["-DX"], ["-x"], ["--jsonx"], ["--C", "x"], ["-D=1"], ["toString"].map((name) => `-${name}`)])(
    "refuses %j",
    (...args) => {
      expect(() => parseOptions(args, kinds)).toThrow(UsageError);
    },
  );

  it("refuses an option without its argument", () => {
    expect(() => parseOptions(["-C"], kinds)).toThrow("option -C needs an argument");
  });
});
