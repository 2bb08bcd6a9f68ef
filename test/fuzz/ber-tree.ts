/** Elements of BER as a tree that can be changed, written, and read back by the letter. */

export interface BerNode {
  tag: number;
  /** Elements where the tag says "constructed", octets where it says "primitive". */
  content: BerNode[] | Buffer;
}

export function node(tag: number, ...content: BerNode[] | [Buffer | string]): BerNode {
  const [first] = content;
  if (typeof first === "string") return { tag, content: Buffer.from(first) };
  if (Buffer.isBuffer(first)) return { tag, content: first };
  return { tag, content: content as BerNode[] };
}

export function encode({ tag, content }: BerNode): Buffer {
  const octets = Buffer.isBuffer(content) ? content : Buffer.concat(content.map(encode));
  return Buffer.concat([Buffer.from([tag]), encodeLength(octets.length), octets]);
}

function encodeLength(length: number): Buffer {
  if (length < 0x80) return Buffer.from([length]);
  const octets = Buffer.alloc(4);
  octets.writeUInt32BE(length);
  return Buffer.concat([Buffer.from([0x84]), octets]);
}

/** The first element, and what follows it; null where anything at all about it is not as it ought to be. */
export function decodeFirst(octets: Buffer): { readonly first: BerNode; readonly rest: Buffer } | null {
  const header = lengthAt(octets, 1);
  if (header === null || header.start + header.length > octets.length) return null;
  const tag = octets.readUInt8(0);
  const end = header.start + header.length;
  const inner = octets.subarray(header.start, end);
  const content = (tag & 0x20) === 0 ? inner : decodeAll(inner);
  return content === null ? null : { first: { tag, content }, rest: octets.subarray(end) };
}

function decodeAll(octets: Buffer): BerNode[] | null {
  const nodes: BerNode[] = [];
  let left = octets;
  while (left.length > 0) {
    const decoded = decodeFirst(left);
    if (decoded === null) return null;
    nodes.push(decoded.first);
    left = decoded.rest;
  }
  return nodes;
}

function lengthAt(octets: Buffer, at: number): { readonly start: number; readonly length: number } | null {
  if (at >= octets.length) return null;
  const first = octets.readUInt8(at);
  if (first < 0x80) return { start: at + 1, length: first };
  const width = first & 0x7f;
  if (width < 1 || width > 4 || at + 1 + width > octets.length) return null;
  return { start: at + 1 + width, length: octets.readUIntBE(at + 1, width) };
}

/** Where elements begin and end, outer ones first; of octets that are in order. */
export function elementsOf(
  octets: Buffer,
  from = 0,
  end = octets.length,
): { readonly at: number; readonly end: number }[] {
  const found: { at: number; end: number }[] = [];
  for (let at = from; at < end; ) {
    const header = lengthAt(octets, at + 1);
    if (header === null) return found;
    const next = header.start + header.length;
    found.push({ at, end: next });
    if ((octets.readUInt8(at) & 0x20) !== 0) found.push(...elementsOf(octets, header.start, next));
    at = next;
  }
  return found;
}
