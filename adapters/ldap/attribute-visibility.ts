/**
 * Checks whether entries can be found by one address attribute. Entries found by it are kept as samples, each with a
 * filter for one of its values, of the form that look-ups use. Repeating that search tests the base, the rights and the
 * index: an index that is being built, or was defined and not built, finds nothing although entries and values are
 * readable. Servers limit this search only as far as they limit look-ups. Directories often limit a presence search for
 * any entry with the attribute, so that one is made only if no sample is found.
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

/** Limit of samples for each base. Several, because users are deleted and aliases removed. */
const SAMPLES_MAX = 4;
const BASES_MAX = 1_000;
/** Milliseconds until a base where the attribute found no entry is searched again. */
const SURVEY_INTERVAL = 600_000;

/** An entry that has the attribute. */
interface Sample {
  readonly dn: string;
  /** Finds the entry by a value of the attribute; null if no value is known. */
  readonly exact: Filter | null;
}

/** "noBase": the base no longer exists. */
export type Visibility = "shown" | "hidden" | "noBase";

export class AttributeVisibility {
  /** The attribute, or several that are used together in one alternative of the filter. */
  readonly name: string;
  readonly #attribute: AddressAttribute;
  /** Samples by base, the most recent first. */
  readonly #samples = new BoundedMap<string, readonly Sample[]>(BASES_MAX);
  /** When each base was last searched for any entry, by performance.now(). */
  readonly #surveys = new BoundedMap<string, number>(BASES_MAX);

  constructor(attribute: AddressAttribute) {
    this.name = attribute.name;
    this.#attribute = attribute;
  }

  /** True if the base has samples: the attribute has found an entry below it. */
  hasSamples(base: string): boolean {
    return this.#samples.has(base);
  }

  /** The base of the most recent sample; undefined without any. */
  get latestBase(): string | undefined {
    return this.#samples.latest;
  }

  /**
   * Checks whether the attribute finds an entry below the base now. Rejects with StoreError if that remains unknown.
   * @param query base, scope and limits of the check
   * @param candidate DN of a further entry that may have the attribute
   * @param isUrgent search for any entry even if a recent search found none
   */
  async check(
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
    const isSurveyed = performance.now() - (this.#surveys.get(base) ?? Number.NEGATIVE_INFINITY) < SURVEY_INTERVAL;
    let isBaseMissing = false;
    const onNoBase = () => {
      isBaseMissing = true;
    };
    const checks = others.map((sample) => this.#verify(connection, query, sample));
    if (isUrgent || known.length > 0 || !isSurveyed) checks.push(this.#findAny(connection, query, onNoBase));
    const found = await firstFound(checks);
    if (found !== null) return this.#remember(base, found);
    return isBaseMissing ? "noBase" : "hidden";
  }

  /** Discards the samples of a base. */
  forget(base: string): void {
    this.#samples.delete(base);
  }

  #remember(base: string, sample: Sample): "shown" {
    const others = (this.#samples.get(base) ?? []).filter(({ dn }) => dn !== sample.dn);
    this.#samples.set(base, [sample, ...others].slice(0, SAMPLES_MAX));
    return "shown";
  }

  /** The sample, refreshed; null if the attribute no longer finds the entry. */
  async #verify(connection: LdapConnection, query: SearchQuery, { dn, exact }: Sample): Promise<Sample | null> {
    if (exact !== null && (await this.#finds(connection, query, exact))) return { dn, exact };
    // The values of the entry are unknown or have changed.
    const { result, entries } = await connection.search({ ...this.#anyOf(query), base: dn, scope: "base" });
    const [entry] = entries;
    if (entry !== undefined) return this.#sampleOf(connection, query, entry);
    if ([SUCCESS, NO_SUCH_OBJECT, INSUFFICIENT_ACCESS].includes(result.code)) return null;
    throw resultError(result, `${connection.uri}: reading "${dn}"`);
  }

  /** A sample of an entry with the attribute; null if a search for its value does not find the entry. */
  async #sampleOf(connection: LdapConnection, query: SearchQuery, entry: SearchEntry): Promise<Sample | null> {
    const { dn } = entry;
    const exact = this.#exactFilter(entry);
    return exact === null || (await this.#finds(connection, query, exact)) ? { dn, exact } : null;
  }

  /** null if values cannot be read, or the server returns the attributes under other names. */
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

  /** A sample of any entry below the base; null if there is none. */
  async #findAny(connection: LdapConnection, query: SearchQuery, onNoBase: () => void): Promise<Sample | null> {
    const { base } = query;
    this.#surveys.set(base, performance.now());
    const { result, entries } = await connection.search(this.#anyOf(query));
    const [entry] = entries;
    if (entry !== undefined) return this.#sampleOf(connection, query, entry);
    if (result.code === NO_SUCH_OBJECT) onNoBase();
    if (result.code === SUCCESS || result.code === NO_SUCH_OBJECT || isSizeLimit(result)) return null;
    throw resultError(result, `${connection.uri}: searching below "${base}" for any entry with ${this.name}`);
  }

  #anyOf(query: SearchQuery): SearchQuery {
    const { attributes, filter } = this.#attribute;
    return { ...query, filter, attributes: attributes.length > 0 ? attributes : ["1.1"], sizeLimit: 1 };
  }
}
