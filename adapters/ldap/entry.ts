/** An entry of the directory as we look at it: attributes by name, whatever their case, number or encoding. */
import { StoreError } from "../../src/store/store.ts";
import type { SearchEntry } from "./response.ts";

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
/** The server holds back values: "member;range=0-1499" (Active Directory); the last part ends in "*". */
const partOfValues = /;range=\d+-\d+(?:;|$)/i;

export class Entry {
  readonly dn: string;
  readonly #attributes = new Map<string, readonly Buffer[]>();

  /**
   * @param requested the attributes that were asked for
   * @throws StoreError (invalid-data) where others came, one came twice, or values are held back
   */
  constructor(found: SearchEntry, requested: readonly string[]) {
    this.dn = found.dn;
    const names = requested.map((name) => name.toLowerCase());
    for (const { description, values } of found.attributes) {
      const key = description.toLowerCase();
      if (partOfValues.test(key)) throw this.#invalid(`the server gives only a part of ${description}`);
      // An alias or an OID in the configuration would make the attribute look as if the entry had none.
      if (!names.some((name) => key === name || key.startsWith(`${name};`))) {
        throw this.#invalid(`the server calls an attribute ${description}: name it so in the configuration`);
      }
      if (this.#attributes.has(key)) throw this.#invalid(`the server gives ${description} twice`);
      this.#attributes.set(key, values);
    }
  }

  /** Values of an attribute in the order of the server; null for one that is no UTF-8. [] where it has none. */
  values(attribute: string): readonly (string | null)[] {
    return this.#octets(attribute.toLowerCase()).map(decode);
  }

  /** The values of the attribute without options; where there are none, those with any (RFC 4512 section 2.5.2). */
  #octets(name: string): readonly Buffer[] {
    const plain = this.#attributes.get(name) ?? [];
    if (plain.length > 0) return plain;
    return [...this.#attributes].flatMap(([key, values]) => (key.startsWith(`${name};`) ? values : []));
  }

  #invalid(problem: string): StoreError {
    return new StoreError("invalid-data", `ldap: ${this.dn}: ${problem}`);
  }
}

function decode(value: Buffer): string | null {
  try {
    return utf8.decode(value);
  } catch {
    return null;
  }
}
