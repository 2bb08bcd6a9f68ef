/** Decodes responses (RFC 4511 section 4). A response is returned whole and well-formed, or decoding fails. */
import { BerError, BerReader, berTag, readLength } from "./ber.ts";

export type LdapResponse = SearchEntry | SearchReference | LdapResult;

interface ResponseHeader {
  /** Message id of the request; 0 for an unsolicited notification. */
  readonly id: number;
}

export interface SearchEntry extends ResponseHeader {
  readonly kind: "entry";
  readonly dn: string;
  readonly attributes: readonly LdapAttribute[];
}

export interface LdapAttribute {
  /** Attribute description as the server spells it, options included. */
  readonly description: string;
  readonly values: readonly Buffer[];
}

/** A referral to other servers; never followed. */
export interface SearchReference extends ResponseHeader {
  readonly kind: "reference";
  readonly uris: readonly string[];
}

/** The final response of an operation. */
export interface LdapResult extends ResponseHeader {
  readonly kind: "result";
  readonly operation: Operation;
  /** Result code, RFC 4511 section 4.1.9. */
  readonly code: number;
  /** Diagnostic message of the server; may be "". */
  readonly message: string;
  readonly referrals: readonly string[];
}

export type Operation = "bind" | "search" | "extended";

const tag = {
  bind: 0x61,
  entry: 0x64,
  searchDone: 0x65,
  reference: 0x73,
  extended: 0x78,
  controls: 0xa0,
  referral: 0xa3,
} as const;
/** Limit of a message in octets; an entry with very many values has some hundred thousand. */
const MESSAGE_MAX = 16 * 1024 * 1024;
const EMPTY = Buffer.alloc(0);

/** Splits the octets of a connection into responses. After a BerError the rest of the stream must be discarded. */
export class ResponseReader {
  #pending: Buffer = EMPTY;

  /** Number of buffered octets of an incomplete response. */
  get pending(): number {
    return this.#pending.length;
  }

  /** Yields the responses that a chunk completes. Throws BerError. */
  *read(chunk: Buffer): Generator<LdapResponse> {
    let bytes = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk]);
    this.#pending = EMPTY;
    for (;;) {
      const end = endOfMessage(bytes);
      if (end === null || end > bytes.length) break;
      yield decodeResponse(bytes.subarray(0, end));
      bytes = bytes.subarray(end);
    }
    this.#pending = bytes;
  }
}

/** Offset of the end of the first message; null if its length is incomplete. */
function endOfMessage(bytes: Buffer): number | null {
  if (bytes.length === 0) return null;
  if (bytes[0] !== berTag.sequence) throw new BerError("the data is not an LDAP message");
  const header = readLength(bytes, 1, bytes.length);
  if (header === null) return null;
  if (header.length > MESSAGE_MAX)
    throw new BerError(`a message of ${header.length} octets exceeds the limit of ${MESSAGE_MAX}`);
  return header.start + header.length;
}

/** Decodes a response. Throws BerError. @param bytes exactly one message */
export function decodeResponse(bytes: Buffer): LdapResponse {
  const message = new BerReader(bytes).enter();
  const response = decodeOperation(message.integer(), message);
  // Controls are skipped: no request asks for response controls.
  if (message.nextTag === tag.controls) message.octets(tag.controls);
  message.end();
  return response;
}

function decodeOperation(id: number, message: BerReader): LdapResponse {
  switch (message.nextTag) {
    case tag.entry:
      return decodeEntry(id, message.enter(tag.entry));
    case tag.reference:
      return { kind: "reference", id, uris: texts(message.enter(tag.reference)) };
    case tag.searchDone:
      return decodeResult(id, "search", message.enter(tag.searchDone));
    case tag.bind:
      return decodeResult(id, "bind", message.enter(tag.bind));
    case tag.extended:
      return decodeResult(id, "extended", message.enter(tag.extended));
    default:
      throw new BerError("unexpected response type");
  }
}

function decodeEntry(id: number, entry: BerReader): SearchEntry {
  const dn = entry.text();
  const attributes: LdapAttribute[] = [];
  for (const list = entry.enter(); !list.isAtEnd; ) {
    const attribute = list.enter();
    const description = attribute.text();
    const values: Buffer[] = [];
    for (const set = attribute.enter(berTag.set); !set.isAtEnd; ) values.push(set.octets(berTag.octetString));
    // Octets left over indicate a wrong length, which may have excluded a value.
    attribute.end();
    attributes.push({ description, values });
  }
  entry.end();
  return { kind: "entry", id, dn, attributes };
}

function decodeResult(id: number, operation: Operation, result: BerReader): LdapResult {
  const code = result.integer(berTag.enumerated);
  // matchedDN, not used.
  result.text();
  const message = result.text();
  const referrals = result.nextTag === tag.referral ? texts(result.enter(tag.referral)) : [];
  return { kind: "result", id, operation, code, message, referrals };
}

function texts(list: BerReader): string[] {
  const found: string[] = [];
  while (!list.isAtEnd) found.push(list.text());
  return found;
}
