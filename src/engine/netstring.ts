/**
 * Netstrings, `LENGTH:PAYLOAD,`, cut out of a byte stream however it is chunked. Payloads are byte strings: one
 * character per octet (latin1), so that a key can be sent back exactly as it came.
 *
 * The words of the errors are those of the original (Cyrus imap/smmapd.c); unlike it, we never go on after one.
 */

/** The stream is no sequence of netstrings; nothing after the fault can be trusted. `message` is meant for the client. */
export class ProtocolError extends Error {
  override readonly name = "ProtocolError";
}

const EMPTY = Buffer.alloc(0);
const DIGIT_0 = 48;
const COLON = 58;
const COMMA = 44;

/** One per connection. Feed it with `write`, take payloads with `next` until it says null, and `end` it at end of file. */
export class NetstringDecoder {
  readonly #payloadMax: number;
  /** Bytes from #start to #end are not decoded yet. */
  #bytes: Buffer = EMPTY;
  /** #bytes is ours to write to, and not somebody's chunk. */
  #isOwn = false;
  #start = 0;
  #end = 0;

  /** @param payloadMax longest payload in octets; a longer one is refused on its length, before it is read */
  constructor(payloadMax: number) {
    this.#payloadMax = payloadMax;
  }

  /** Octets that are waiting to be decoded. */
  get pending(): number {
    return this.#end - this.#start;
  }

  /** Adds a chunk. It must not be changed before `keep`. */
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

  /** Copies what is not decoded yet: the last chunk is about to be overwritten. */
  keep(): void {
    if (this.#start < this.#end && !this.#isOwn) this.#move(this.#end - this.#start);
  }

  /** The next payload, or null until more bytes come. Throws ProtocolError. */
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
      // Zeros do not grow the number, so they need a bound of their own.
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

  /** Says that no more bytes will come. Throws ProtocolError where that cuts a netstring. */
  end(): void {
    if (this.#start === this.#end) return;
    const rest = this.#bytes.toString("latin1", this.#start, this.#end);
    const colon = rest.indexOf(":");
    if (colon < 0) throw new ProtocolError("missing length");
    const whole = rest.length - colon - 1 === Number(rest.slice(0, colon));
    throw new ProtocolError(whole ? "missing terminator" : "request size doesn't match length");
  }

  /** Doubling keeps the copying linear, and memory proportional to what was really sent. */
  #append(chunk: Buffer): void {
    const needed = this.#end - this.#start + chunk.length;
    if (!this.#isOwn || this.#end + chunk.length > this.#bytes.length) this.#move(needed * 2);
    chunk.copy(this.#bytes, this.#end);
    this.#end += chunk.length;
  }

  /** To a place of our own, with room for so many octets. */
  #move(size: number): void {
    const place = Buffer.allocUnsafeSlow(Math.max(size, 128));
    this.#end = this.#bytes.copy(place, 0, this.#start, this.#end);
    this.#start = 0;
    this.#bytes = place;
    this.#isOwn = true;
  }
}

/** A payload (a byte string) as a netstring. */
export function encodeNetstring(payload: string): string {
  return `${payload.length}:${payload},`;
}
