/**
 * Decodes netstrings, `LENGTH:PAYLOAD,`, from a byte stream in chunks of any size. Payloads are byte strings: one
 * character per octet (latin1), so that a key is sent back exactly as received.
 *
 * The texts of the errors are those of the original (Cyrus imap/smmapd.c). Unlike the original, decoding ends after one.
 */

/** The stream is not a sequence of netstrings; nothing after the fault is decoded. `message` is sent to the client. */
export class ProtocolError extends Error {
  override readonly name = "ProtocolError";
}

const EMPTY = Buffer.alloc(0);
const DIGIT_0 = 48;
const COLON = 58;
const COMMA = 44;

/** One per connection. `write` adds a chunk, `next` returns payloads until null, `end` is called at end of file. */
export class NetstringDecoder {
  readonly #payloadMax: number;
  /** Bytes from #start to #end are not yet decoded. */
  #bytes: Buffer = EMPTY;
  /** True if #bytes was allocated here and may be written to; false if it is a caller's chunk. */
  #isOwn = false;
  #start = 0;
  #end = 0;

  /** @param payloadMax longest payload in octets; a longer one is refused by its length, before it is read */
  constructor(payloadMax: number) {
    this.#payloadMax = payloadMax;
  }

  /** Octets that are not yet decoded. */
  get pending(): number {
    return this.#end - this.#start;
  }

  /** Adds a chunk. The caller must not change it before it has called `keep`. */
  write(chunk: Buffer): void {
    if (this.#start === this.#end) {
      this.#bytes = chunk;
      this.#isOwn = false;
      this.#start = 0;
      this.#end = chunk.length;
    } else {
      this.#append(chunk);
    }
  }

  /** Copies bytes that are not yet decoded, because the caller is about to overwrite the last chunk. */
  keep(): void {
    if (this.#start < this.#end && !this.#isOwn) this.#move(this.#end - this.#start);
  }

  /** The next payload; null if more bytes are needed. @throws ProtocolError */
  next(): string | null {
    const bytes = this.#bytes;
    const end = this.#end;
    let at = this.#start;
    let length = 0;
    let byte = 0;
    while (at < end) {
      byte = bytes[at] as number;
      if (byte < DIGIT_0 || byte >= COLON) break;
      length = length * 10 + byte - DIGIT_0;
      if (length > this.#payloadMax) throw new ProtocolError("request size doesn't match length");
      at++;
      // Leading zeros do not increase the number, so they need a bound of their own.
      if (at - this.#start > this.#payloadMax) throw new ProtocolError("missing length");
    }
    if (at === end) {
      if (at === this.#start) this.#bytes = EMPTY;
      return null;
    }
    if (byte !== COLON || at === this.#start) throw new ProtocolError("missing length");
    const payload = at + 1;
    const comma = payload + length;
    if (comma >= end) return null;
    if (bytes[comma] !== COMMA) throw new ProtocolError("missing terminator");
    this.#start = comma + 1;
    return bytes.toString("latin1", payload, comma);
  }

  /** Marks the end of the stream. @throws ProtocolError if that is within a netstring */
  end(): void {
    if (this.#start === this.#end) return;
    const rest = this.#bytes.toString("latin1", this.#start, this.#end);
    const colon = rest.indexOf(":");
    if (colon < 0) throw new ProtocolError("missing length");
    const isComplete = rest.length - colon - 1 === Number(rest.slice(0, colon));
    throw new ProtocolError(isComplete ? "missing terminator" : "request size doesn't match length");
  }

  /** Doubling keeps the cost of copying linear, and memory proportional to the octets received. */
  #append(chunk: Buffer): void {
    const needed = this.#end - this.#start + chunk.length;
    if (!this.#isOwn || this.#end + chunk.length > this.#bytes.length) this.#move(needed * 2);
    chunk.copy(this.#bytes, this.#end);
    this.#end += chunk.length;
  }

  /** Moves the bytes to a new buffer of at least `size` octets. */
  #move(size: number): void {
    const buffer = Buffer.allocUnsafeSlow(Math.max(size, 128));
    this.#end = this.#bytes.copy(buffer, 0, this.#start, this.#end);
    this.#start = 0;
    this.#bytes = buffer;
    this.#isOwn = true;
  }
}

/** Encodes a payload (a byte string) as a netstring. */
export function encodeNetstring(payload: string): string {
  return `${payload.length}:${payload},`;
}
