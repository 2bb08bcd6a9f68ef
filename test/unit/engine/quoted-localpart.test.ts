import { describe, expect, it } from "vitest";
import { unquoted } from "../../../src/engine/quoted-localpart.ts";

describe("a quoted local part", () => {
  it.each<[key: string, plain: string | null]>([
    ['"o b"@dom.test', "o b@dom.test"],
    ['"fred"@dom.test', "fred@dom.test"],
    ['"fred+My Team"@dom.test', "fred+My Team@dom.test"],
    ['"a@b"@dom.test', "a@b@dom.test"],
    [String.raw`"a\"b\\c\ d"@dom.test`, String.raw`a"b\c d@dom.test`],
    ['"o b"', "o b"],
    ['""@dom.test', "@dom.test"],
    ['"o b"@', "o b@"],
    ['"\xc3\xa9 \xff"@dom.test', "\xc3\xa9 \xff@dom.test"],
    // Not a quoted string, or not the whole local part.
    ["fred@dom.test", null],
    ["o b@dom.test", null],
    ['"o b@dom.test', null],
    ['o b"@dom.test', null],
    ['"o" b@dom.test', null],
    ['"o"b"@dom.test', null],
    ['"o b"+x@dom.test', null],
    ['"o b"@a@dom.test', null],
    [String.raw`"o b\"@dom.test`, null],
    [' "o b"@dom.test', null],
    ['"', null],
    ["", null],
  ])("%j is %j", (key, plain) => {
    expect(unquoted(key)).toBe(plain);
  });
});
