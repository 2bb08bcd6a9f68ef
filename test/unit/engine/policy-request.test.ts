import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ProtocolError } from "../../../src/engine/netstring.ts";
import { PolicyDecoder, parsePolicyRequest } from "../../../src/engine/policy-request.ts";

/** As Postfix 3.7 sends it. */
const request = [
  "request=smtpd_access_policy",
  "protocol_state=RCPT",
  "protocol_name=ESMTP",
  "helo_name=client.example",
  "queue_id=",
  "sender=a=b@client.example",
  "recipient=fred+Lists@dom.test",
  "recipient_count=0",
  "client_address=127.0.0.1",
  "size=12345",
  "etrn_domain=",
  "stress=",
].join("\n");

function decodeAll(stream: string, size: number): string[] {
  const decoder = new PolicyDecoder(1024);
  const requests: string[] = [];
  for (let at = 0; at < stream.length; at += size) {
    decoder.write(Buffer.from(stream.slice(at, at + size), "latin1"));
    for (let next = decoder.next(); next !== null; next = decoder.next()) requests.push(next);
  }
  decoder.end();
  return requests;
}

describe("the stream", () => {
  it("is split at empty lines with any chunks", () => {
    const stream = `${request}\n\nx=1\n\n${request}\n\n`;
    for (let size = 1; size <= stream.length; size++) {
      expect(decodeAll(stream, size)).toEqual([request, "x=1", request]);
    }
  });

  it("keeps octets", () => {
    expect(decodeAll("recipient=fr\xe9d\xff\n\n", 3)).toEqual(["recipient=fr\xe9d\xff"]);
  });

  it("has requests of a limited length, complete or not", () => {
    const decoder = new PolicyDecoder(10);
    decoder.write(Buffer.from(`${"x".repeat(10)}\n\n`));
    expect(decoder.next()).toBe("x".repeat(10));
    decoder.write(Buffer.from(`${"x".repeat(11)}\n\n`));
    expect(() => decoder.next()).toThrow(ProtocolError);
    const endless = new PolicyDecoder(10);
    endless.write(Buffer.from("x".repeat(11)));
    expect(() => endless.next()).toThrow("the request is too long");
  });

  it("must not end within a request", () => {
    const decoder = new PolicyDecoder(100);
    decoder.write(Buffer.from("request=smtpd_access_policy\n"));
    expect(decoder.next()).toBeNull();
    expect(() => decoder.end()).toThrow(ProtocolError);
  });
});

describe("any octets", () => {
  it("are returned unchanged and split at empty lines, or are refused", () => {
    const stream = fc.array(fc.oneof(fc.constant("\n"), fc.constant("recipient="), fc.string()), { maxLength: 30 });
    fc.assert(
      fc.property(stream, fc.integer({ min: 1, max: 40 }), (parts, size) => {
        const text = Buffer.from(parts.join("")).toString("latin1");
        const lines: string[] = [];
        try {
          lines.push(...decodeAll(text, size));
        } catch (error) {
          expect(error).toBeInstanceOf(ProtocolError);
          return;
        }
        expect(lines.map((each) => `${each}\n\n`).join("")).toBe(text);
      }),
    );
  });
});

describe("a request", () => {
  it("names a recipient and a size", () => {
    expect(parsePolicyRequest(request)).toEqual({ recipient: "fred+Lists@dom.test", size: 12345 });
  });

  it.each<[lines: string, recipient: string, size: number]>([
    ["", "", 0],
    ["recipient=", "", 0],
    ["recipient=fred@dom.test", "fred@dom.test", 0],
    ["recipient=a=b@dom.test\nsize=0", "a=b@dom.test", 0],
    ["recipient=fred\nsize=", "fred", 0],
    ["recipient=fred\nsize=-5", "fred", 0],
    ["recipient=fred\nsize=1e3", "fred", 0],
  ])("with %j", (lines, recipient, size) => {
    const text = `request=smtpd_access_policy${lines === "" ? "" : "\n"}${lines}`;
    expect(parsePolicyRequest(text)).toEqual({ recipient, size });
  });

  it.each([
    ["", "a line has no ="],
    ["recipient=fred", "the request is not smtpd_access_policy"],
    ["request=junk\nrecipient=fred", "the request is not smtpd_access_policy"],
    ["request=smtpd_access_policy\nEHLO there", "a line has no ="],
    ["request=smtpd_access_policy\r\nrecipient=fred", "the request is not smtpd_access_policy"],
  ])("is invalid: %j", (text, problem) => {
    expect(() => parsePolicyRequest(text)).toThrow(problem);
    expect(() => parsePolicyRequest(text)).toThrow(ProtocolError);
  });
});
