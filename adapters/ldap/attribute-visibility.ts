/**
 * Whether entries can be found by one attribute of an address. Entries that were found by it are remembered with a
 * filter that looks for a value of theirs as look-ups do. Searching with it again shows the base, the rights and the
 * index: an index that is being built, or was defined and not built, finds nothing although entries and values can be
 * read. It is limited by a server only where look-ups are. A search for any entry with the attribute is what directories
 * limit; it is made only where no remembered entry answers.
 */
import type { Filter } from "ldapts";
import type { AddressAttribute } from "./address-attributes.ts";
import { BoundedMap } from "./bounded-map.ts";
import type { LdapConnection } from "./connection.ts";
import { Entry } from "./entry.ts";
import { firstFound } from "./first-found.ts";
import type { SearchEntry } from "./response.ts";
import { INSUFFICIENT_ACCESS, isSizeLimit, NO_SUCH_OBJECT, resultError, SUCCESS } from "./result.ts";
import type { SearchQuery } from "./search-query.ts";

/** Entries remembered below each base: users are deleted, and lose their aliases. */
const SAMPLES_MAX = 4;
const BASES_MAX = 1_000;
/** Milliseconds until a base where no entry was found by the attribute is searched again. */
const SURVEY_LASTS = 600_000;

/** An entry that has the attribute. */
interface Sample {
  readonly dn: string;
  /** Finds it by a value of the attribute; null where that is not known. */
  readonly exact: Filter | null;
}

/** "gone": there is no such base any more. */
export type Visibility = "shown" | "hidden" | "gone";

export class AttributeVisibility {
  /** The attribute, or those that count together. */
  readonly name: string;
  readonly #attribute: AddressAttribute;
  /** Entries found by the attribute, by base; the latest first. */
  readonly #samples = new BoundedMap<string, readonly Sample[]>(BASES_MAX);
  /** When each base was last searched for any entry, on the clock of performance.now(). */
  readonly #surveys = new BoundedMap<string, number>(BASES_MAX);

  constructor(attribute: AddressAttribute) {
    this.name = attribute.name;
    this.#attribute = attribute;
  }

  /** Whether an entry below this base was ever found by the attribute. */
  isSeenIn(base: string): boolean {
    return this.#samples.has(base);
  }

  /** The base where an entry was last found by the attribute; undefined where that never happened. */
  get latestBase(): string | undefined {
    return this.#samples.latest;
  }

  /**
   * Whether an entry below the base is found by the attribute now. Rejects with StoreError where the server cannot tell.
   * @param query says where to search, and how
   * @param candidate DN of another entry that may be found by it
   * @param isUrgent search for any entry even if a search has found none lately
   */
  async look(
    connection: LdapConnection,
    query: SearchQuery,
    candidate: string | null,
    isUrgent = true,
  ): Promise<Visibility> {
    const { base } = query;
    const known = this.#samples.get(base) ?? [];
    const isNew = candidate !== null && !known.some(({ dn }) => dn === candidate);
    const [first, ...others] = isNew ? [...known, { dn: candidate, exact: null }] : known;
    const shown = first === undefined ? null : await this.#verify(connection, query, first);
    if (shown !== null) return this.#remember(base, shown);
    const isSurveyed = performance.now() - (this.#surveys.get(base) ?? Number.NEGATIVE_INFINITY) < SURVEY_LASTS;
    let isGone = false;
    const onGone = () => {
      isGone = true;
    };
    const looks = others.map((sample) => this.#verify(connection, query, sample));
    if (isUrgent || known.length > 0 || !isSurveyed) looks.push(this.#findAny(connection, query, onGone));
    const found = await firstFound(looks);
    if (found !== null) return this.#remember(base, found);
    return isGone ? "gone" : "hidden";
  }

  /** What was seen below a base counts no more. */
  forget(base: string): void {
    this.#samples.delete(base);
  }

  #remember(base: string, sample: Sample): "shown" {
    const others = (this.#samples.get(base) ?? []).filter(({ dn }) => dn !== sample.dn);
    this.#samples.set(base, [sample, ...others].slice(0, SAMPLES_MAX));
    return "shown";
  }

  /** The entry as it is now; null where it is not found by the attribute any more. */
  async #verify(connection: LdapConnection, query: SearchQuery, { dn, exact }: Sample): Promise<Sample | null> {
    if (exact !== null && (await this.#finds(connection, query, exact))) return { dn, exact };
    // Its values are not known, or have changed.
    const { result, entries } = await connection.search({ ...this.#anyOf(query), base: dn, scope: "base" });
    const [entry] = entries;
    if (entry !== undefined) return this.#sampleOf(connection, query, entry);
    if ([SUCCESS, NO_SUCH_OBJECT, INSUFFICIENT_ACCESS].includes(result.code)) return null;
    throw resultError(result, `${connection.uri}: reading "${dn}"`);
  }

  /** An entry that has the attribute; null where a search for its value does not find it. */
  async #sampleOf(connection: LdapConnection, query: SearchQuery, entry: SearchEntry): Promise<Sample | null> {
    const { dn } = entry;
    const exact = this.#exactFilter(entry);
    return exact === null || (await this.#finds(connection, query, exact)) ? { dn, exact } : null;
  }

  /** null where values may not be read, or the server has other names for the attributes. */
  #exactFilter(found: SearchEntry): Filter | null {
    const { attributes, exemplify } = this.#attribute;
    try {
      const entry = new Entry(found, attributes);
      return exemplify((attribute) => entry.values(attribute)[0] ?? null);
    } catch {
      return null;
    }
  }

  async #finds(connection: LdapConnection, query: SearchQuery, filter: Filter): Promise<boolean> {
    const { result, entries } = await connection.search({ ...query, filter, attributes: ["1.1"], sizeLimit: 1 });
    if (entries.length > 0) return true;
    if (result.code === SUCCESS || result.code === NO_SUCH_OBJECT) return false;
    throw resultError(result, `${connection.uri}: searching below "${query.base}" for a known ${this.name}`);
  }

  /** Any entry below the base; null where there is none. */
  async #findAny(connection: LdapConnection, query: SearchQuery, onGone: () => void): Promise<Sample | null> {
    const { base } = query;
    this.#surveys.set(base, performance.now());
    const { result, entries } = await connection.search(this.#anyOf(query));
    const [entry] = entries;
    if (entry !== undefined) return this.#sampleOf(connection, query, entry);
    if (result.code === NO_SUCH_OBJECT) onGone();
    if (result.code === SUCCESS || result.code === NO_SUCH_OBJECT || isSizeLimit(result)) return null;
    throw resultError(result, `${connection.uri}: searching below "${base}" for any entry with ${this.name}`);
  }

  #anyOf(query: SearchQuery): SearchQuery {
    const { attributes, filter } = this.#attribute;
    return { ...query, filter, attributes: attributes.length > 0 ? attributes : ["1.1"], sizeLimit: 1 };
  }
}
