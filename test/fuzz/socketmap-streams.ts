/** What a client may send: requests as they ought to be, requests with a mistake, damaged streams, any octets. */
import fc from "fast-check";
import { absentAddresses, conformanceMailboxes } from "../../src/conformance/index.ts";
import { encodeNetstring } from "../../src/engine/netstring.ts";
import { REQUEST_MAX } from "./socketmap-reference.ts";

/** A stream as a byte string, and the sizes of the pieces in which it is sent, but for its rest. */
export interface Input {
  readonly stream: string;
  readonly sizes: readonly number[];
}

const octets = (maxLength: number) =>
  fc.uint8Array({ maxLength }).map((values) => Buffer.from(values).toString("latin1"));
const addresses = [...conformanceMailboxes, ...absentAddresses].map(({ address }) =>
  Buffer.from(address, "utf8").toString("latin1"),
);
const key = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(...addresses) },
  { weight: 2, arbitrary: octets(40) },
  { weight: 1, arbitrary: fc.tuple(fc.constantFrom(...addresses), octets(6)).map((parts) => parts.join("")) },
);
const request = fc.tuple(fc.constantFrom("cyrus", "", "x", "\xff"), key).map((parts) => parts.join(" "));
const fault = fc.oneof(
  // Wrong terminator, wrong length, no digits, digits of other kinds, too long, cut off, or anything.
  fc.tuple(request, fc.constantFrom(";", "\n", "0", ":")).map(([payload, end]) => `${payload.length}:${payload}${end}`),
  fc.tuple(request, fc.integer({ min: -9, max: 9 })).map(([payload, by]) => `${payload.length + by}:${payload},`),
  request.map((payload) => `:${payload},`),
  fc.tuple(fc.constantFrom("-", "+", " ", "0x", "1e", "\u00b2"), request).map(([sign, payload]) => {
    return `${sign}${encodeNetstring(payload)}`;
  }),
  fc.constantFrom(
    `${REQUEST_MAX + 1}:`,
    "2147483648:",
    "99999999999999999999:",
    "0".repeat(REQUEST_MAX + 1),
    "\r\n",
    ",",
  ),
  fc.tuple(request, fc.nat({ max: 60 })).map(([payload, at]) => encodeNetstring(payload).slice(0, at)),
  octets(30),
);
const part = fc.oneof(
  { weight: 12, arbitrary: request.map(encodeNetstring) },
  {
    weight: 1,
    arbitrary: fc.tuple(fc.nat({ max: 20 }), request).map(([n, text]) => "0".repeat(n) + encodeNetstring(text)),
  },
  { weight: 1, arbitrary: octets(REQUEST_MAX).map(encodeNetstring) },
  { weight: 1, arbitrary: fc.constantFrom("0:,", "00:,", "1: ,", `${REQUEST_MAX}:${" ".repeat(REQUEST_MAX)},`) },
  { weight: 2, arbitrary: fault },
);
const sound = fc.array(part, { maxLength: 12 }).map((parts) => parts.join(""));
/** A stream with some octets overwritten, left out or put in. */
const damaged = fc
  .tuple(sound, fc.array(fc.tuple(fc.nat({ max: 400 }), octets(3), fc.nat({ max: 3 })), { maxLength: 4 }))
  .map(([stream, edits]) => {
    return edits.reduce((text, [at, put, drop]) => text.slice(0, at) + put + text.slice(at + drop), stream);
  });

export const anyStream = fc.oneof(
  { weight: 5, arbitrary: sound },
  { weight: 4, arbitrary: damaged },
  { weight: 1, arbitrary: octets(600) },
);

export const anyInput: fc.Arbitrary<Input> = fc.record({
  stream: anyStream,
  sizes: fc.array(fc.nat({ max: 40 }), { maxLength: 6 }),
});
