/** What a bad disk, a bad copy or a bad program does to a file. */
import fc from "fast-check";

/** Numbers choose the place, whatever the file's length. */
export type Damage =
  | { readonly kind: "flip"; readonly at: number; readonly bit: number }
  | { readonly kind: "overwrite"; readonly at: number; readonly octets: Uint8Array }
  | { readonly kind: "zero" | "ones" | "forget"; readonly page: number }
  | { readonly kind: "swap" | "copy"; readonly page: number; readonly other: number }
  | { readonly kind: "truncate"; readonly at: number }
  | { readonly kind: "extend"; readonly octets: Uint8Array };

const place = fc.nat({ max: 2 ** 24 });
const page = fc.nat({ max: 1000 });
/** The header of the file, the beginning of the schema, or anywhere. */
const anywhere = fc.oneof(
  { weight: 1, arbitrary: fc.nat({ max: 120 }) },
  { weight: 1, arbitrary: fc.nat({ max: 511 }) },
  { weight: 6, arbitrary: place },
);

const damage: fc.Arbitrary<Damage> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({ kind: fc.constant("flip"), at: anywhere, bit: fc.nat({ max: 7 }) }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant("overwrite"),
      at: anywhere,
      octets: fc.uint8Array({ minLength: 1, maxLength: 16 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom("zero", "ones", "forget"), page }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constantFrom("swap", "copy"), page, other: page }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("truncate"), at: place }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant("extend"), octets: fc.uint8Array({ minLength: 1, maxLength: 600 }) }),
  },
);

export const anyDamages = fc.array(damage, { minLength: 1, maxLength: 3 });

export function harm(whole: Buffer, pageSize: number, damages: readonly Damage[]): Buffer {
  return damages.reduce<Buffer>((octets, each) => harmOnce(octets, pageSize, each), Buffer.from(whole));
}

function harmOnce(octets: Buffer, pageSize: number, damage: Damage): Buffer {
  const pages = Math.ceil(octets.length / pageSize);
  if (pages === 0) return octets;
  const pageAt = (choice: number) => octets.subarray((choice % pages) * pageSize, ((choice % pages) + 1) * pageSize);
  switch (damage.kind) {
    case "flip": {
      const at = damage.at % octets.length;
      octets.writeUInt8(octets.readUInt8(at) ^ (1 << damage.bit), at);
      return octets;
    }
    case "overwrite":
      octets.set(damage.octets.subarray(0, octets.length - (damage.at % octets.length)), damage.at % octets.length);
      return octets;
    case "zero":
      pageAt(damage.page).fill(0);
      return octets;
    case "ones":
      pageAt(damage.page).fill(0xff);
      return octets;
    case "forget": {
      // The page is left out, and those behind it move up.
      const at = (damage.page % pages) * pageSize;
      return Buffer.concat([octets.subarray(0, at), octets.subarray(at + pageSize)]);
    }
    case "copy":
      pageAt(damage.other).copy(pageAt(damage.page));
      return octets;
    case "swap": {
      const before = Buffer.from(pageAt(damage.page));
      pageAt(damage.other).copy(pageAt(damage.page));
      before.copy(pageAt(damage.other));
      return octets;
    }
    case "truncate":
      return octets.subarray(0, damage.at % octets.length);
    case "extend":
      return Buffer.concat([octets, damage.octets]);
  }
}
