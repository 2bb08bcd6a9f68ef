/** What becomes of a directory's answer on the way: first its elements are changed, then its octets. */
import fc from "fast-check";
import { type BerNode, elementsOf, encode, node } from "./ber-tree.ts";

/** A change that can be made to any answer: numbers choose the place, whatever there is to choose from. */
export type Edit =
  | { readonly kind: "remove" | "repeat" | "empty" | "nest"; readonly element: number }
  | { readonly kind: "retag"; readonly element: number; readonly tag: number }
  | { readonly kind: "replace"; readonly element: number; readonly octets: Uint8Array }
  | { readonly kind: "swap"; readonly element: number; readonly other: number }
  | { readonly kind: "strange"; readonly at: number; readonly message: number; readonly id: number }
  | { readonly kind: "flip"; readonly at: number; readonly bits: number }
  | { readonly kind: "length"; readonly element: number; readonly octets: readonly number[] }
  | { readonly kind: "cut"; readonly at: number }
  | { readonly kind: "insert"; readonly at: number; readonly octets: Uint8Array }
  | { readonly kind: "drop"; readonly at: number; readonly count: number };

export interface Mutation {
  readonly edits: readonly Edit[];
  /** Octets of the pieces in which it is sent, but for the rest. */
  readonly sizes: readonly number[];
  /** Whether the server says no more after it, or closes the connection. */
  readonly isSilent: boolean;
}

const place = fc.nat({ max: 400 });
const tags = fc.constantFrom(0x02, 0x04, 0x0a, 0x30, 0x31, 0x42, 0x61, 0x63, 0x64, 0x65, 0x73, 0x78, 0xa0, 0xa3, 0x00);
const octets = fc.uint8Array({ maxLength: 12 });
/** Zero, one off, none that is right, 4 GiB, and forms that are not allowed. */
const lengths = fc.oneof(
  fc.nat({ max: 255 }).map((octet) => [octet]),
  fc.constantFrom([0x80], [0x81, 0], [0x82, 0, 5], [0x84, 0xff, 0xff, 0xff, 0xff], [0x84, 0x7f, 0xff, 0xff, 0xff]),
  fc.constantFrom([0x84, 0, 0xff, 0xff, 0xff], [0x85, 0, 0, 0, 0, 1], [0xff]),
);
const edit: fc.Arbitrary<Edit> = fc.oneof(
  fc.record({ kind: fc.constantFrom("remove", "repeat", "empty", "nest"), element: place }),
  fc.record({ kind: fc.constant("retag"), element: place, tag: tags }),
  fc.record({ kind: fc.constant("replace"), element: place, octets }),
  fc.record({ kind: fc.constant("swap"), element: place, other: place }),
  fc.record({ kind: fc.constant("strange"), at: place, message: place, id: fc.integer({ min: -3, max: 3 }) }),
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant("flip"), at: place, bits: fc.integer({ min: 1, max: 255 }) }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("length"), element: place, octets: lengths }) },
  fc.record({ kind: fc.constant("cut"), at: place }),
  fc.record({ kind: fc.constant("insert"), at: place, octets }),
  fc.record({ kind: fc.constant("drop"), at: place, count: fc.integer({ min: 1, max: 40 }) }),
);

export const anyMutation: fc.Arbitrary<Mutation> = fc.record({
  edits: fc.array(edit, { minLength: 1, maxLength: 3 }),
  sizes: fc.array(fc.integer({ min: 1, max: 60 }), { maxLength: 3 }),
  isSilent: fc.boolean(),
});

/** Levels of an element in an element. */
const NESTED = 200;

/** @param messages a whole answer  @param id that of the request */
export function mutate(messages: readonly BerNode[], id: number, edits: readonly Edit[]): Buffer {
  const root = structuredCopy(node(0x30, ...messages));
  for (const each of edits) changeElements(root, id, each);
  const written = Buffer.concat((root.content as BerNode[]).map(encode));
  return edits.reduce(changeOctets, written);
}

function changeElements(root: BerNode, id: number, change: Edit): void {
  const all = slots(root);
  if (all.length === 0) return;
  const slotOf = (choice: number) => all[choice % all.length] as Slot;
  switch (change.kind) {
    case "strange": {
      const list = root.content as BerNode[];
      list.splice(change.at % (list.length + 1), 0, strangeMessage(change.message, id + change.id));
      return;
    }
    case "swap": {
      const [one, other] = [slotOf(change.element).node, slotOf(change.other).node];
      if (contains(one, other) || contains(other, one)) return;
      const before = { ...one };
      Object.assign(one, other);
      Object.assign(other, before);
      return;
    }
    case "remove":
    case "repeat": {
      const { list, node: chosen } = slotOf(change.element);
      list.splice(list.indexOf(chosen), 1, ...(change.kind === "repeat" ? [chosen, structuredCopy(chosen)] : []));
      return;
    }
    case "empty":
      slotOf(change.element).node.content = Buffer.alloc(0);
      return;
    case "replace":
      slotOf(change.element).node.content = Buffer.from(change.octets);
      return;
    case "retag":
      slotOf(change.element).node.tag = change.tag;
      return;
    case "nest": {
      const chosen = slotOf(change.element).node;
      let octets = encode(chosen);
      for (let level = 0; level < NESTED; level++) octets = encode({ tag: 0x30, content: octets });
      chosen.content = octets;
      return;
    }
  }
}

function changeOctets(octets: Buffer, change: Edit): Buffer {
  if (octets.length === 0) return octets;
  switch (change.kind) {
    case "flip": {
      const at = change.at % octets.length;
      const changed = Buffer.from(octets);
      changed.writeUInt8(octets.readUInt8(at) ^ change.bits, at);
      return changed;
    }
    case "length": {
      const elements = elementsOf(octets);
      const at = (elements[change.element % (elements.length || 1)]?.at ?? 0) + 1;
      return Buffer.concat([octets.subarray(0, at), Buffer.from(change.octets), octets.subarray(at + 1)]);
    }
    case "cut":
      return octets.subarray(0, change.at % octets.length);
    case "insert": {
      const at = change.at % (octets.length + 1);
      return Buffer.concat([octets.subarray(0, at), change.octets, octets.subarray(at)]);
    }
    case "drop": {
      const at = change.at % octets.length;
      return Buffer.concat([octets.subarray(0, at), octets.subarray(at + change.count)]);
    }
    default:
      return octets;
  }
}

/** What nobody asked for: answers of other kinds, about other things, to other requests. */
function strangeMessage(choice: number, id: number): BerNode {
  const result = (tag: number, code: number) =>
    node(tag, node(0x0a, Buffer.from([code])), node(0x04, ""), node(0x04, "words"));
  const operations = [
    result(0x65, 0),
    result(0x65, 32),
    result(0x61, 0),
    result(0x78, 0),
    node(0x64, node(0x04, "uid=other,dc=test"), node(0x30)),
    node(0x73, node(0x04, "ldap://elsewhere.test/dc=test")),
    node(0x79, node(0x80, "1.2.3"), node(0x81, "intermediate")),
  ];
  const numbered = Buffer.alloc(4);
  numbered.writeInt32BE(id);
  return node(0x30, node(0x02, numbered), operations[choice % operations.length] as BerNode);
}

interface Slot {
  readonly list: BerNode[];
  readonly node: BerNode;
}

/** Every element below another one. */
function slots({ content }: BerNode): Slot[] {
  if (Buffer.isBuffer(content)) return [];
  return content.flatMap((child) => [{ list: content, node: child }, ...slots(child)]);
}

function contains(outer: BerNode, inner: BerNode): boolean {
  return outer === inner || slots(outer).some((slot) => slot.node === inner);
}

function structuredCopy({ tag, content }: BerNode): BerNode {
  return { tag, content: Buffer.isBuffer(content) ? content : content.map(structuredCopy) };
}
