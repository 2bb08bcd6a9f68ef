/** The replies to a whole stream of socketmap requests, worked out the slow way with all of it at hand. */
import { conformanceMailboxes, conformanceRules, expectedFacts } from "../../src/conformance/index.ts";
import { internalName } from "../../src/engine/mailbox-name.ts";
import { encodeNetstring } from "../../src/engine/netstring.ts";
import { RecipientParser } from "../../src/engine/recipient.ts";
import { decide, replyTo } from "../../src/engine/verdict.ts";
import type { StoreCapabilities } from "../../src/store/store.ts";

/** Octets; small, so that generated requests pass it often. */
export const REQUEST_MAX = 300;

const recipients = new RecipientParser(conformanceRules);
const capabilities: StoreCapabilities = { folders: true, shared: true, quota: ["STORAGE", "MESSAGE"] };
const mailboxesByName = new Map(conformanceMailboxes.map((mailbox) => [mailbox.name, mailbox]));

/** What a server of the village has to send back for a stream that ends: a byte string, as is the stream. */
export function repliesTo(stream: string): string {
  let out = "";
  let rest = stream;
  while (rest !== "") {
    const taken = takeNetstring(rest);
    if (taken.fault !== undefined) return `${out}${encodeNetstring(`PERM Bad protocol (${taken.fault})`)}`;
    out += encodeNetstring(replyToPayload(taken.payload));
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

function replyToPayload(payload: string): string {
  const [text = ""] = payload.split("\0");
  const space = text.indexOf(" ");
  if (space < 0) return "PERM Bad protocol (missing key)";
  const key = text.slice(space + 1);
  const id = recipients.parse(key);
  const mailbox = id.kind === "none" ? undefined : mailboxesByName.get(internalName(id));
  if (id.kind === "none" || mailbox === undefined) return "NOTFOUND Mailbox does not exist";
  return replyTo(decide(id, expectedFacts(mailbox, capabilities)), key, {
    overQuotaIsPermanent: false,
    failureIsAccepted: false,
  });
}
