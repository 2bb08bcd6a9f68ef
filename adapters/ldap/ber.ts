/**
 * The subset of the Basic Encoding Rules in LDAP (RFC 4511 section 5.1): definite lengths, tags of one octet. Strict:
 * an element that exceeds its container is an error, and reading never continues beyond the container.
 */

/** The octets are not valid BER, or not the expected element. */
export class BerError extends Error {
  override readonly name = "BerError";
}

/** Universal tags of responses; response.ts has those of RFC 4511 section 4. */
export const berTag = { integer: 0x02, octetString: 0x04, enumerated: 0x0a, sequence: 0x30, set: 0x31 } as const;

/** Reads consecutive elements from the contents of their container. */
export class BerReader {
  readonly #bytes: Buffer;
  #at: number;
  readonly #end: number;

  constructor(bytes: Buffer, start = 0, end = bytes.length) {
    this.#bytes = bytes;
    this.#at = start;
    this.#end = end;
  }

  get isAtEnd(): boolean {
    return this.#at === this.#end;
  }

  /** The tag of the next element; null at the end. */
  get nextTag(): number | null {
    return this.isAtEnd ? null : (this.#bytes[this.#at] as number);
  }

  /** Throws BerError unless all elements have been read. */
  end(): void {
    if (!this.isAtEnd) throw new BerError("unexpected additional element");
  }

  /** The contents of the next element. */
  octets(tag: number): Buffer {
    const [start, end] = this.#take(tag);
    return this.#bytes.subarray(start, end);
  }

  /** The contents of the next element as UTF-8. */
  text(tag: number = berTag.octetString): string {
    const [start, end] = this.#take(tag);
    return this.#bytes.toString("utf8", start, end);
  }

  /** A reader of the elements in the next one. */
  enter(tag: number = berTag.sequence): BerReader {
    const [start, end] = this.#take(tag);
    return new BerReader(this.#bytes, start, end);
  }

  /** An INTEGER or ENUMERATED of at most four octets. */
  integer(tag: number = berTag.integer): number {
    const [start, end] = this.#take(tag);
    if (start === end || end - start > 4)
      throw new BerError(`an integer of ${end - start} octets (1 to 4 are supported)`);
    return this.#bytes.readIntBE(start, end - start);
  }

  #take(tag: number): readonly [start: number, end: number] {
    const found = this.nextTag;
    if (found !== tag) throw new BerError(`tag ${hex(found)} instead of ${hex(tag)}`);
    const header = readLength(this.#bytes, this.#at + 1, this.#end);
    if (header === null || header.start + header.length > this.#end) {
      throw new BerError("an element exceeds its container");
    }
    this.#at = header.start + header.length;
    return [header.start, this.#at];
  }
}

/**
 * The length of an element and the offset of its contents; null if the length itself is incomplete.
 * @param at offset of the length, after the tag
 */
export function readLength(bytes: Buffer, at: number, end: number): { start: number; length: number } | null {
  if (at >= end) return null;
  const first = bytes[at] as number;
  if (first < 0x80) return { start: at + 1, length: first };
  const width = first & 0x7f;
  if (width === 0 || width > 4) throw new BerError(`a length encoded in ${width} octets (1 to 4 are supported)`);
  if (at + 1 + width > end) return null;
  return { start: at + 1 + width, length: bytes.readUIntBE(at + 1, width) };
}

function hex(tag: number | null): string {
  return tag === null ? "none" : `0x${tag.toString(16).padStart(2, "0")}`;
}
