import { describe, expect, it } from "vitest";
import { BerError } from "../../../adapters/ldap/ber.ts";
import { decodeResponse, type LdapResponse, ResponseReader } from "../../../adapters/ldap/response.ts";

/** An element: tag, length, contents. */
function element(tag: number, ...contents: readonly (Buffer | string)[]): Buffer {
  const octets = Buffer.concat(contents.map((part) => (typeof part === "string" ? Buffer.from(part) : part)));
  const { length } = octets;
  if (length < 0x80) return Buffer.concat([Buffer.from([tag, length]), octets]);
  return Buffer.concat([Buffer.from([tag, 0x82, length >> 8, length & 0xff]), octets]);
}

const integer = (value: number, tag = 0x02) => element(tag, Buffer.from([value]));
const text = (value: Buffer | string) => element(0x04, value);
const message = (id: number, operation: Buffer, ...rest: Buffer[]) => element(0x30, integer(id), operation, ...rest);
const result = (tag: number, code: number, words = "", ...rest: Buffer[]) =>
  element(tag, integer(code, 0x0a), text(""), text(words), ...rest);
const attribute = (name: string, ...values: (Buffer | string)[]) =>
  element(0x30, text(name), element(0x31, ...values.map(text)));
const entry = (dn: string, ...attributes: Buffer[]) => element(0x64, text(dn), element(0x30, ...attributes));

const samples: readonly (readonly [name: string, octets: Buffer, response: LdapResponse])[] = [
  [
    "an entry",
    message(7, entry("cn=a", attribute("mail", "a@b", "c@d"), attribute("none"))),
    {
      kind: "entry",
      id: 7,
      dn: "cn=a",
      attributes: [
        { description: "mail", values: [Buffer.from("a@b"), Buffer.from("c@d")] },
        { description: "none", values: [] },
      ],
    },
  ],
  [
    "a reference",
    message(7, element(0x73, text("ldap://a/"), text("ldap://b/"))),
    { kind: "reference", id: 7, uris: ["ldap://a/", "ldap://b/"] },
  ],
  [
    "the end of a search",
    message(7, result(0x65, 0)),
    { kind: "result", id: 7, operation: "search", code: 0, message: "", referrals: [] },
  ],
  [
    "a referral",
    message(7, result(0x65, 10, "elsewhere", element(0xa3, text("ldap://a/")))),
    { kind: "result", id: 7, operation: "search", code: 10, message: "elsewhere", referrals: ["ldap://a/"] },
  ],
  [
    "the answer to a bind, with credentials and controls",
    message(1, result(0x61, 49, "no", element(0x87, "x")), element(0xa0, element(0x30, text("1.2.3")))),
    { kind: "result", id: 1, operation: "bind", code: 49, message: "no", referrals: [] },
  ],
  [
    "a notice of disconnection",
    message(0, result(0x78, 52, "bye", element(0x8a, "1.3.6.1.4.1.1466.20036"))),
    { kind: "result", id: 0, operation: "extended", code: 52, message: "bye", referrals: [] },
  ],
  [
    "a long entry",
    message(7, entry("cn=a", attribute("mail", "x".repeat(300)))),
    {
      kind: "entry",
      id: 7,
      dn: "cn=a",
      attributes: [{ description: "mail", values: [Buffer.from("x".repeat(300))] }],
    },
  ],
];

describe("a response", () => {
  it.each(samples)("is read: %s", (_, octets, response) => {
    expect(decodeResponse(octets)).toEqual(response);
  });

  it("comes out whole wherever it is cut", () => {
    const all = Buffer.concat(samples.map(([, octets]) => octets));
    const expected = samples.map(([, , response]) => response);
    for (let size = 1; size <= all.length; size++) {
      const reader = new ResponseReader();
      const read: LdapResponse[] = [];
      for (let at = 0; at < all.length; at += size) read.push(...reader.read(all.subarray(at, at + size)));
      expect(read).toEqual(expected);
      expect(reader.pending).toBe(0);
    }
  });

  it("leaves what is not complete", () => {
    const reader = new ResponseReader();
    expect([...reader.read(Buffer.from([0x30]))]).toEqual([]);
    expect([...reader.read(Buffer.from([0x82, 0x01]))]).toEqual([]);
    expect(reader.pending).toBe(3);
  });

  it.each<[string, Buffer]>([
    ["another protocol", Buffer.from("HTTP/1.1 400 Bad Request\r\n")],
    [
      "a value longer than its entry",
      message(
        7,
        element(0x64, text(""), element(0x30, element(0x30, text("a"), Buffer.from([0x31, 4, 0x04, 100, 65, 66])))),
      ),
    ],
    ["an element behind the end", Buffer.from([0x30, 3, 0x02, 5, 1])],
    ["no message id", element(0x30, text("x"))],
    ["an empty integer", element(0x30, element(0x02), result(0x65, 0))],
    ["a huge integer", element(0x30, element(0x02, "12345"), result(0x65, 0))],
    ["an operation that nobody asked for", message(7, result(0x69, 0))],
    ["no operation", element(0x30, integer(7))],
    ["an indefinite length", Buffer.from([0x30, 0x80, 0, 0])],
    ["a length of five octets", Buffer.from([0x30, 0x85, 0, 0, 0, 0, 1])],
    ["a message without end", Buffer.from([0x30, 0x84, 0x7f, 0xff, 0xff, 0xff])],
    ["a length that is cut off inside", element(0x30, Buffer.from([0x02, 0x82, 0x01]))],
    ["a value that is no octet string", message(7, entry("", element(0x30, text("a"), element(0x31, integer(1)))))],
    [
      "values behind the end of their set",
      message(7, entry("", element(0x30, text("a"), element(0x31), text("left out")))),
    ],
    [
      "attributes behind the end of their list",
      message(7, element(0x64, text(""), element(0x30), attribute("left", "out"))),
    ],
    ["something behind the operation that is no controls", message(7, result(0x65, 0), result(0x65, 0))],
    ["a result without code", message(7, element(0x65))],
  ])("is refused where it is %s", (_, octets) => {
    expect(() => [...new ResponseReader().read(octets)]).toThrow(BerError);
  });

  it("with any octet changed is read or refused, and in no time", () => {
    const [, octets] = samples[0] as (typeof samples)[number];
    for (let at = 0; at < octets.length; at++) {
      for (let value = 0; value < 256; value++) {
        const changed = Buffer.from(octets);
        changed[at] = value;
        try {
          for (const response of new ResponseReader().read(changed))
            expect(["entry", "result", "reference"]).toContain(response.kind);
        } catch (error) {
          expect(error).toBeInstanceOf(BerError);
        }
      }
    }
  });
});
