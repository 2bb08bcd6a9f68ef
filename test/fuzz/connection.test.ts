/**
 * A live connection under any input: kept inputs first, then generated ones. Whatever comes in, each complete request
 * has its one reply, in order, and a fault has one reply and ends the connection.
 *
 * FUZZ_RUNS and FUZZ_SEED change how much and what is generated. An input that ever broke something is kept in corpus/.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import { memoryVillage } from "../../fixtures/memory-store.ts";
import { SocketmapClient } from "../../fixtures/socketmap-client.ts";
import { startTestServer, type TestServer } from "../../fixtures/test-server.ts";
import { villageAbsent, villageFacts, villageMailboxes, villageRules } from "../../fixtures/village.ts";
import { internalName } from "../../src/engine/mailbox-name.ts";
import { encodeNetstring } from "../../src/engine/netstring.ts";
import { RecipientParser } from "../../src/engine/recipient.ts";
import { decide, replyTo } from "../../src/engine/verdict.ts";
import type { LookupOptions, MailboxFacts, MailboxId, MailboxStore } from "../../src/store/store.ts";

const runs = Number(process.env.FUZZ_RUNS ?? 10_000);
const seed = Number(process.env.FUZZ_SEED ?? 1);
/** Small, so that generated requests pass it often. */
const REQUEST_MAX = 300;

const village = memoryVillage();
const recipients = new RecipientParser(villageRules);
const corpus = new URL("corpus/", import.meta.url).pathname;
let server: TestServer;
let witness: SocketmapClient;

/** The village, answering at once, in the next microtask or in the next turn, so that replies want to overtake. */
class UnevenStore implements MailboxStore {
  readonly name = "uneven";
  readonly capabilities = village.capabilities;

  lookup(mailbox: MailboxId, options: LookupOptions): MailboxFacts | Promise<MailboxFacts> {
    const facts = village.lookup(mailbox, options);
    const pace = internalName(mailbox).length % 3;
    if (pace === 0) return facts;
    return pace === 1
      ? Promise.resolve(facts)
      : new Promise((resolve) => {
          setImmediate(() => resolve(facts));
        });
  }

  async ping(): Promise<void> {}
  async close(): Promise<void> {}
}

beforeAll(async () => {
  const store = new UnevenStore();
  server = await startTestServer({ store, rules: villageRules, requestMax: REQUEST_MAX });
  witness = await SocketmapClient.connect(server.path);
});
afterEach(async () => {
  expect(await witness.askAll(["anna@village.example", "dora@village.example", "nobody@village.example"])).toEqual([
    "OK anna@village.example",
    "TEMP Over quota",
    "NOTFOUND Mailbox does not exist",
  ]);
});
afterAll(async () => {
  witness.close();
  // Resolves only when every connection is gone.
  await server.close();
  expect(server.complaints).toEqual([]);
});

/** The replies to a whole stream, worked out with all of it at hand. */
function reference(stream: string): string {
  let out = "";
  let rest = stream;
  while (rest !== "") {
    const taken = takeNetstring(rest);
    if (taken.fault !== undefined) return `${out}${encodeNetstring(`PERM Bad protocol (${taken.fault})`)}`;
    out += encodeNetstring(referenceReply(taken.payload));
    rest = rest.slice(taken.length);
  }
  return out;
}

type Taken =
  | { readonly fault: string }
  | { readonly fault?: undefined; readonly payload: string; readonly length: number };

function takeNetstring(stream: string): Taken {
  const digits = /^[0-9]*/.exec(stream)?.[0] ?? "";
  for (let count = 1; count <= digits.length; count++) {
    if (BigInt(digits.slice(0, count)) > REQUEST_MAX) return { fault: "request size doesn't match length" };
    if (count > REQUEST_MAX) return { fault: "missing length" };
  }
  if (digits === "" || stream[digits.length] !== ":") return { fault: "missing length" };
  const payload = stream.slice(digits.length + 1, digits.length + 1 + Number(digits));
  if (payload.length < Number(digits)) return { fault: "request size doesn't match length" };
  const length = digits.length + 1 + payload.length + 1;
  return stream[length - 1] === "," ? { payload, length } : { fault: "missing terminator" };
}

function referenceReply(payload: string): string {
  const [text = ""] = payload.split("\0");
  const space = text.indexOf(" ");
  if (space < 0) return "PERM Bad protocol (missing key)";
  const key = text.slice(space + 1);
  const id = recipients.parse(key);
  if (id.kind === "none") return "NOTFOUND Mailbox does not exist";
  const mailbox = villageMailboxes.find(({ name }) => name === internalName(id));
  if (mailbox === undefined) return "NOTFOUND Mailbox does not exist";
  return replyTo(decide(id, villageFacts(mailbox, village.capabilities)), key, {
    overQuotaIsPermanent: false,
    failureIsAccepted: false,
  });
}

/** Everything that comes back for a stream that is sent in pieces and then ended. */
async function converse(stream: string, sizes: readonly number[]): Promise<string> {
  const client = await SocketmapClient.connect(server.path);
  try {
    let rest = stream;
    for (const size of sizes) {
      await client.send(rest.slice(0, size));
      rest = rest.slice(size);
    }
    await client.send(rest);
    client.halfClose();
    return (await client.receiveAll()).toString("latin1");
  } finally {
    client.close();
  }
}

const octets = (maxLength: number) =>
  fc.uint8Array({ maxLength }).map((values) => Buffer.from(values).toString("latin1"));
const addresses = [...villageMailboxes, ...villageAbsent].map(({ address }) =>
  Buffer.from(address, "utf8").toString("latin1"),
);
const key = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(...addresses) },
  { weight: 2, arbitrary: octets(40) },
  { weight: 1, arbitrary: fc.tuple(fc.constantFrom(...addresses), octets(6)).map((parts) => parts.join("")) },
);
const request = fc.tuple(fc.constantFrom("cyrus", "", "x", "\xff"), key).map((parts) => parts.join(" "));
const faults = fc.oneof(
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
  { weight: 2, arbitrary: faults },
);
const sound = fc.array(part, { maxLength: 12 }).map((parts) => parts.join(""));
/** A stream with some octets overwritten, left out or put in. */
const damaged = fc
  .tuple(sound, fc.array(fc.tuple(fc.nat({ max: 400 }), octets(3), fc.nat({ max: 3 })), { maxLength: 4 }))
  .map(([stream, edits]) => {
    return edits.reduce((text, [at, put, drop]) => text.slice(0, at) + put + text.slice(at + drop), stream);
  });
const anyStream = fc.oneof(
  { weight: 5, arbitrary: sound },
  { weight: 4, arbitrary: damaged },
  { weight: 1, arbitrary: octets(600) },
);
const anySizes = fc.array(fc.nat({ max: 40 }), { maxLength: 6 });

it.each(readdirSync(corpus).sort())("kept input: %s", async (name) => {
  const stream = readFileSync(join(corpus, name)).toString("latin1");
  const expected = reference(stream);
  expect(await converse(stream, [])).toBe(expected);
  expect(
    await converse(
      stream,
      Array.from({ length: Math.min(stream.length, 500) }, () => 1),
    ),
  ).toBe(expected);
});

it(`${runs} generated inputs, each in pieces`, { timeout: 600_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(anyStream, anySizes, async (stream, sizes) => {
      expect(await converse(stream, sizes)).toBe(reference(stream));
    }),
    { numRuns: runs, seed },
  );
});

it("clients that vanish in the middle leave nothing behind", async () => {
  await fc.assert(
    fc.asyncProperty(anyStream, async (stream) => {
      const client = await SocketmapClient.connect(server.path);
      await client.send(stream);
      client.close();
    }),
    { numRuns: Math.ceil(runs / 20), seed },
  );
});

it("the inputs reach what they are for", () => {
  const replies = fc.sample(anyStream, { numRuns: 2000, seed }).map(reference).join("");
  const seen = [
    "OK anna",
    "NOTFOUND",
    "TEMP Over quota",
    "PERM Permission denied",
    "(missing key)",
    "(missing length)",
    "(missing terminator)",
    "(request size doesn't match length)",
  ];
  expect(seen.filter((words) => !replies.includes(words))).toEqual([]);
});
