/**
 * Whether entries can be found by one attribute of an address. Entries that were found by it are remembered, and looked
 * at again by a base-scope search of their DN, which needs no index and meets no limit. A search for any such entry is
 * what directories limit; it is made only where no remembered entry answers.
 */
import type { AddressAttribute } from "./address-attributes.ts";
import { BoundedMap } from "./bounded-map.ts";
import type { LdapConnection } from "./connection.ts";
import { firstFound } from "./first-found.ts";
import { INSUFFICIENT_ACCESS, isSizeLimit, NO_SUCH_OBJECT, resultError, SUCCESS } from "./result.ts";
import type { SearchQuery } from "./search-query.ts";

/** Entries remembered below each base: users are deleted, and lose their aliases. */
const SAMPLES_MAX = 4;
const BASES_MAX = 1_000;
/** Milliseconds until a base where no entry was found by the attribute is searched again. */
const SURVEY_LASTS = 600_000;

/** "gone": there is no such base any more. */
export type Visibility = "shown" | "hidden" | "gone";

export class AttributeVisibility {
  /** The attribute, or those that count together. */
  readonly name: string;
  readonly #filter: AddressAttribute["filter"];
  /** DNs of entries found by the attribute, by base; the latest first. */
  readonly #samples = new BoundedMap<string, readonly string[]>(BASES_MAX);
  /** When each base was last searched for any entry, on the clock of performance.now(). */
  readonly #surveys = new BoundedMap<string, number>(BASES_MAX);

  constructor({ name, filter }: AddressAttribute) {
    this.name = name;
    this.#filter = filter;
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
    const [first, ...others] = new Set(candidate === null ? known : [...known, candidate]);
    if (first !== undefined && (await this.#matches(connection, query, first))) return this.#remember(base, first);
    const isSurveyed = performance.now() - (this.#surveys.get(base) ?? Number.NEGATIVE_INFINITY) < SURVEY_LASTS;
    let isGone = false;
    const onGone = () => {
      isGone = true;
    };
    const looks = others.map(async (dn) => ((await this.#matches(connection, query, dn)) ? dn : null));
    if (isUrgent || known.length > 0 || !isSurveyed) looks.push(this.#findAny(connection, query, onGone));
    const found = await firstFound(looks);
    if (found !== null) return this.#remember(base, found);
    return isGone ? "gone" : "hidden";
  }

  /** What was seen below a base counts no more. */
  forget(base: string): void {
    this.#samples.delete(base);
  }

  #remember(base: string, dn: string): "shown" {
    const others = (this.#samples.get(base) ?? []).filter((other) => other !== dn);
    this.#samples.set(base, [dn, ...others].slice(0, SAMPLES_MAX));
    return "shown";
  }

  async #matches(connection: LdapConnection, query: SearchQuery, dn: string): Promise<boolean> {
    const { result, entries } = await connection.search({ ...this.#oneOf(query), base: dn, scope: "base" });
    if (entries.length > 0) return true;
    if ([SUCCESS, NO_SUCH_OBJECT, INSUFFICIENT_ACCESS].includes(result.code)) return false;
    throw resultError(result, `${connection.uri}: reading "${dn}"`);
  }

  /** The DN of any entry below the base; null where there is none. */
  async #findAny(connection: LdapConnection, query: SearchQuery, onGone: () => void): Promise<string | null> {
    const { base } = query;
    this.#surveys.set(base, performance.now());
    const { result, entries } = await connection.search(this.#oneOf(query));
    const [entry] = entries;
    if (entry !== undefined) return entry.dn;
    if (result.code === NO_SUCH_OBJECT) onGone();
    if (result.code === SUCCESS || result.code === NO_SUCH_OBJECT || isSizeLimit(result)) return null;
    throw resultError(result, `${connection.uri}: searching below "${base}" for any entry with ${this.name}`);
  }

  #oneOf(query: SearchQuery): SearchQuery {
    return { ...query, filter: this.#filter, attributes: ["1.1"], sizeLimit: 1 };
  }
}
