/**
 * The Basic Encoding Rules as LDAP uses them (RFC 4511 section 5.1): definite lengths, tags of one octet. Strict: an
 * element that does not fit into what holds it is an error, never a reason to read on.
 */

/** The octets are no BER, or not the element that has to be there. */
export class BerError extends Error {
  override readonly name = "BerError";
}

/** Tags that responses are made of; the others are those of RFC 4511 section 4. */
export const berTag = { integer: 0x02, octetString: 0x04, enumerated: 0x0a, sequence: 0x30, set: 0x31 } as const;

/** Reads elements one after another out of the contents of the one that holds them. */
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

  /** Says that nothing more may follow. */
  end(): void {
    if (!this.isAtEnd) throw new BerError("an element that has no place where it stands");
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
    if (start === end || end - start > 4) throw new BerError(`an integer of ${end - start} octets`);
    return this.#bytes.readIntBE(start, end - start);
  }

  #take(tag: number): readonly [start: number, end: number] {
    const found = this.nextTag;
    if (found !== tag) throw new BerError(`tag ${hex(found)} in the place of ${hex(tag)}`);
    const header = readLength(this.#bytes, this.#at + 1, this.#end);
    if (header === null || header.start + header.length > this.#end) {
      throw new BerError("an element that is longer than what holds it");
    }
    this.#at = header.start + header.length;
    return [header.start, this.#at];
  }
}

/**
 * The length of an element and where its contents start; null where the length itself is cut off.
 * @param at where the length stands, behind the tag
 */
export function readLength(bytes: Buffer, at: number, end: number): { start: number; length: number } | null {
  if (at >= end) return null;
  const first = bytes[at] as number;
  if (first < 0x80) return { start: at + 1, length: first };
  const width = first & 0x7f;
  if (width === 0 || width > 4) throw new BerError(`a length of ${width} octets`);
  if (at + 1 + width > end) return null;
  return { start: at + 1 + width, length: bytes.readUIntBE(at + 1, width) };
}

function hex(tag: number | null): string {
  return tag === null ? "none" : `0x${tag.toString(16).padStart(2, "0")}`;
}
