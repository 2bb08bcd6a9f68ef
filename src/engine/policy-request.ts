/**
 * Requests of Postfix' policy delegation (its SMTPD_POLICY_README): lines `name=value`, ended by an empty line. Byte
 * strings, one character per octet.
 */
import { ProtocolError } from "./netstring.ts";

/** What we want to know of a request. */
export interface PolicyRequest {
  /** "" where none is named: before RCPT TO, and after DATA of a message to several. */
  readonly recipient: string;
  /** Octets, as announced with MAIL FROM or counted; 0: not known. */
  readonly size: number;
}

/** Cuts requests out of a byte stream, as NetstringDecoder does. */
export class PolicyDecoder {
  readonly #requestMax: number;
  #text = "";
  /** Where the search for the end of the request goes on. */
  #from = 0;

  /** @param requestMax octets of the longest request */
  constructor(requestMax: number) {
    this.#requestMax = requestMax;
  }

  /** Octets that are waiting to be decoded. */
  get pending(): number {
    return this.#text.length;
  }

  write(chunk: Buffer): void {
    this.#text += chunk.toString("latin1");
  }

  /** Nothing to do: `write` has copied it. */
  keep(): void {}

  /** The lines of the next request, or null until more bytes come. Throws ProtocolError. */
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

  /** Says that no more bytes will come. Throws ProtocolError where that cuts a request. */
  end(): void {
    if (this.#text !== "") throw new ProtocolError("the request ends before its empty line");
  }
}

/** Throws ProtocolError where the lines are no request for an access decision. */
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

/** What is no number is no known size, and the mailbox is judged as it is. */
function octets(text = ""): number {
  return /^\d+$/.test(text) ? Number(text) : 0;
}
