import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { encodeNetstring, NetstringDecoder, ProtocolError } from "../../../src/engine/netstring.ts";

const PAYLOAD_MAX = 1000;

/** The result of decoding chunks: payloads, then the text of the error that ended decoding, if any. */
function decode(chunks: readonly (string | Buffer)[], options: { end?: boolean; max?: number } = {}): string[] {
  const decoder = new NetstringDecoder(options.max ?? PAYLOAD_MAX);
  const out: string[] = [];
  try {
    for (const chunk of chunks) {
      const bytes = Buffer.from(chunk as string, "latin1");
      decoder.write(bytes);
      for (let payload = decoder.next(); payload !== null; payload = decoder.next()) out.push(payload);
      decoder.keep();
      // The next chunk may be read into the same buffer.
      bytes.fill(",");
    }
    if (options.end) decoder.end();
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    out.push(`! ${error.message}`);
  }
  return out;
}

/** The stream cut in pieces of one length. */
function pieces(stream: string, size: number): string[] {
  return Array.from({ length: Math.ceil(stream.length / size) }, (_, i) => stream.slice(i * size, (i + 1) * size));
}

describe("a stream of netstrings", () => {
  const payloads = ["cyrus fred", "", "x,y:z", "\0\xff\r\n", "12:cyrus fred,", "a".repeat(300)];
  const stream = payloads.map(encodeNetstring).join("");

  it("is decoded completely when it is split at any octet", () => {
    for (let cut = 0; cut <= stream.length; cut++) {
      expect(decode([stream.slice(0, cut), stream.slice(cut)], { end: true }), `cut at ${cut}`).toEqual(payloads);
    }
  });

  it("is decoded completely in chunks of any size", () => {
    for (let size = 1; size <= stream.length; size++) {
      expect(decode(pieces(stream, size), { end: true }), `pieces of ${size}`).toEqual(payloads);
    }
  });

  it("is decoded completely with any chunks (property)", () => {
    const anyPayload = fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes).toString("latin1"));
    fc.assert(
      fc.property(fc.array(anyPayload, { maxLength: 20 }), fc.array(fc.nat({ max: 60 })), (sent, sizes) => {
        let rest = sent.map(encodeNetstring).join("");
        const chunks: string[] = [];
        for (const size of sizes) {
          chunks.push(rest.slice(0, size));
          rest = rest.slice(size);
        }
        expect(decode([...chunks, rest], { end: true })).toEqual(sent);
      }),
      { numRuns: 500, seed: 1 },
    );
  });

  it("does not change the chunks", () => {
    const first = Buffer.from("10:cyrus");
    const second = Buffer.from(" fred,6:cyr");
    expect(decode([first, second, "us ,"])).toEqual(["cyrus fred", "cyrus "]);
    expect([first.toString(), second.toString()]).toEqual(["10:cyrus", " fred,6:cyr"]);
  });

  it("has no error when it stops at any octet", () => {
    for (let cut = 0; cut < "10:cyrus fred,".length; cut++) {
      expect(decode(["10:cyrus fred,".slice(0, cut)])).toEqual([]);
    }
  });
});

describe("a length", () => {
  it.each([
    ["0:,", [""]],
    ["00:,", [""]],
    ["0001:a,", ["a"]],
    [`${"0".repeat(900)}1:a,`, ["a"]],
    [encodeNetstring("a".repeat(PAYLOAD_MAX)), ["a".repeat(PAYLOAD_MAX)]],
  ])("%.20s… is accepted", (stream, expected) => {
    expect(decode([stream])).toEqual(expected);
    expect(decode(pieces(stream, 1))).toEqual(expected);
  });

  it.each([
    [":cyrus fred,", "missing length"],
    [",", "missing length"],
    ["\n", "missing length"],
    [" 10:cyrus fred,", "missing length"],
    ["-10:cyrus fred,", "missing length"],
    ["+10:cyrus fred,", "missing length"],
    ["0x0a:cyrus fred,", "missing length"],
    ["10 :cyrus fred,", "missing length"],
    ["10;cyrus fred,", "missing length"],
    ["1/:cyrus fred,", "missing length"],
    ["\uff11:a,", "missing length"],
    ["GET / HTTP/1.0\r\n\r\n", "missing length"],
    [`${PAYLOAD_MAX + 1}:`, "request size doesn't match length"],
    ["99999999999999999999999999:", "request size doesn't match length"],
    [`${"9".repeat(400)}:`, "request size doesn't match length"],
    ["0".repeat(PAYLOAD_MAX + 1), "missing length"],
  ])("%.20s… is refused", (stream, words) => {
    expect(decode([stream])).toEqual([`! ${words}`]);
    expect(decode(pieces(stream, 1))).toEqual([`! ${words}`]);
  });

  it("that is too large is refused at the digit that exceeds the limit, before any payload", () => {
    expect(decode(["999"])).toEqual([]);
    expect(decode(["1000"])).toEqual([]);
    expect(decode(["1001"])).toEqual(["! request size doesn't match length"]);
  });

  it("of zeros has a bound, although zeros do not increase it", () => {
    expect(decode(["0".repeat(PAYLOAD_MAX)])).toEqual([]);
    expect(decode(pieces("0".repeat(PAYLOAD_MAX + 1), 1))).toEqual(["! missing length"]);
    // The error is the same for any chunks.
    for (const stream of [`${"0".repeat(PAYLOAD_MAX)}1:a,`, `${"0".repeat(PAYLOAD_MAX + 1)}9999:`]) {
      expect(decode([stream])).toEqual(["! missing length"]);
      expect(decode(pieces(stream, 1))).toEqual(["! missing length"]);
    }
  });
});

describe("a terminator", () => {
  it.each(["10:cyrus fred;", "10:cyrus fred\n", "9:cyrus fred,", "0:a,"])("is missing in %j", (stream) => {
    expect(decode([stream])).toEqual(["! missing terminator"]);
    expect(decode(pieces(stream, 1))).toEqual(["! missing terminator"]);
  });
});

it("payloads before a fault are decoded first", () => {
  expect(decode(["1:a,1:b,x"])).toEqual(["a", "b", "! missing length"]);
  expect(decode(pieces("1:a,1:b,x", 1))).toEqual(["a", "b", "! missing length"]);
});

it.each([
  ["", []],
  ["1:a,", ["a"]],
  ["12", ["! missing length"]],
  ["0", ["! missing length"]],
  ["12:", ["! request size doesn't match length"]],
  ["10:cyrus f", ["! request size doesn't match length"]],
  ["10:cyrus fred", ["! missing terminator"]],
  ["0:", ["! missing terminator"]],
  ["1:a,10:cy", ["a", "! request size doesn't match length"]],
  ["3:a:b", ["! missing terminator"]],
])("the end of the stream after %j", (stream, expected) => {
  expect(decode([stream], { end: true })).toEqual(expected);
  expect(decode(pieces(stream, 1), { end: true })).toEqual(expected);
});

it("pending octets are counted, and not kept after they are decoded", () => {
  const decoder = new NetstringDecoder(PAYLOAD_MAX);
  expect(decoder.pending).toBe(0);
  decoder.write(Buffer.from("1:a,10:cy"));
  expect(decoder.pending).toBe(9);
  expect(decoder.next()).toBe("a");
  expect(decoder.pending).toBe(5);
  expect(decoder.next()).toBeNull();
  decoder.keep();
  expect(decoder.pending).toBe(5);
  decoder.write(Buffer.from("rus fred,"));
  expect(decoder.next()).toBe("cyrus fred");
  expect(decoder.pending).toBe(0);
  expect(decoder.next()).toBeNull();
});

it("an encoded payload is counted in octets", () => {
  expect(encodeNetstring("")).toBe("0:,");
  expect(encodeNetstring("OK fred")).toBe("7:OK fred,");
  expect(encodeNetstring("\xc3\xa9")).toBe("2:\xc3\xa9,");
});

it("a fault is a ProtocolError with a message for the client", () => {
  const error = new ProtocolError("missing length");
  expect(error).toBeInstanceOf(Error);
  expect(error.name).toBe("ProtocolError");
});
