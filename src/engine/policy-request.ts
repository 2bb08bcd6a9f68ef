/**
 * Requests of Postfix' policy delegation (its SMTPD_POLICY_README): lines `name=value`, ended by an empty line. Byte
 * strings, one character per octet.
 */
import { ProtocolError } from "./netstring.ts";

/** The attributes that are used. */
export interface PolicyRequest {
  /** "" if the request has none: before RCPT TO, and after DATA of a message with several recipients. */
  readonly recipient: string;
  /** Octets, as announced with MAIL FROM or counted; 0: unknown. */
  readonly size: number;
}

/** Decodes requests from a byte stream, as NetstringDecoder does netstrings. */
export class PolicyDecoder {
  readonly #requestMax: number;
  #text = "";
  /** Where the search for the end of the request continues. */
  #from = 0;

  /** @param requestMax octets of the longest request */
  constructor(requestMax: number) {
    this.#requestMax = requestMax;
  }

  /** Octets that are not yet decoded. */
  get pending(): number {
    return this.#text.length;
  }

  write(chunk: Buffer): void {
    this.#text += chunk.toString("latin1");
  }

  /** No-op: `write` copies its chunk. */
  keep(): void {}

  /** The lines of the next request; null if more bytes are needed. @throws ProtocolError */
  next(): string | null {
    const end = this.#text.indexOf("\n\n", this.#from);
    if ((end < 0 ? this.#text.length : end) > this.#requestMax) throw new ProtocolError("the request is too long");
    if (end < 0) {
      this.#from = Math.max(0, this.#text.length - 1);
      return null;
    }
    const request = this.#text.slice(0, end);
    this.#text = this.#text.slice(end + 2);
    this.#from = 0;
    return request;
  }

  /** Marks the end of the stream. @throws ProtocolError if that is within a request */
  end(): void {
    if (this.#text !== "") throw new ProtocolError("the request ends before its empty line");
  }
}

/** @throws ProtocolError if the lines are not a request of Postfix' policy delegation */
export function parsePolicyRequest(lines: string): PolicyRequest {
  const attributes = new Map<string, string>();
  for (const line of lines.split("\n")) {
    const equals = line.indexOf("=");
    if (equals < 0) throw new ProtocolError("a line has no =");
    attributes.set(line.slice(0, equals), line.slice(equals + 1));
  }
  if (attributes.get("request") !== "smtpd_access_policy") {
    throw new ProtocolError("the request is not smtpd_access_policy");
  }
  return { recipient: attributes.get("recipient") ?? "", size: octets(attributes.get("size")) };
}

/** 0, an unknown size, for a text that is not a number. */
function octets(text = ""): number {
  return /^\d+$/.test(text) ? Number(text) : 0;
}
