/** An entry of the directory: values of attributes by name, independent of case. */
import { StoreError } from "../../src/store/store.ts";
import type { SearchEntry } from "./response.ts";

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
/**
 * The server returned only a range of the values: "member;range=0-1499" (Active Directory); the last range ends in "*".
 */
const partOfValues = /;range=\d+-\d+(?:;|$)/i;

export class Entry {
  readonly dn: string;
  readonly #attributes = new Map<string, readonly Buffer[]>();

  /**
   * @param requested the attributes of the request
   * @throws StoreError (invalid-data) if the entry has other attributes, has one twice, or lacks a part of the values
   */
  constructor(found: SearchEntry, requested: readonly string[]) {
    this.dn = found.dn;
    const names = requested.map((name) => name.toLowerCase());
    for (const { description, values } of found.attributes) {
      const key = description.toLowerCase();
      if (partOfValues.test(key)) throw this.#invalid(`the server returned only a part of ${description}`);
      // With an alias or an OID in the configuration the attribute would appear to be missing.
      if (!names.some((name) => key === name || key.startsWith(`${name};`))) {
        throw this.#invalid(
          `the server returned an attribute under the name ${description}: use that name in the configuration`,
        );
      }
      if (this.#attributes.has(key)) throw this.#invalid(`the server returned ${description} twice`);
      this.#attributes.set(key, values);
    }
  }

  /** Values of an attribute in the order of the server; null for a value that is not UTF-8. [] without values. */
  values(attribute: string): readonly (string | null)[] {
    return this.#octets(attribute.toLowerCase()).map(decode);
  }

  /** The values of the attribute without options; without any, those with options (RFC 4512 section 2.5.2). */
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
