/**
 * Whether an empty answer may be believed. A server that lets us bind but not read (rights, a wrong base, a replica
 * that is being filled) finds nothing and calls that a success, and every mailbox would be gone. So "nothing found"
 * counts only on a connection that has shown us some entry of that kind lately.
 */
import { StoreError } from "../../src/store/store.ts";
import type { LdapConnection, SearchQuery } from "./connection.ts";
import { isSizeLimit, resultError, SUCCESS } from "./result.ts";

/** Milliseconds for which a sighting counts: rights may be taken away while a connection lasts. */
const SIGHTING_LASTS = 1_000;

/** An entry that was seen below a base, or a search for one that began at that time. */
interface Sighting {
  readonly base: string;
  /** On the clock of performance.now(). */
  readonly at: number;
}

export class Sightings {
  readonly #kind: string;
  readonly #last = new WeakMap<LdapConnection, Sighting>();
  /** The search that is under way. Of the many look-ups of an attack all would begin one in the same moment. */
  readonly #search = new WeakMap<LdapConnection, Sighting & { readonly result: Promise<void> }>();

  /** @param kind of entries, in the plural, for people */
  constructor(kind: string) {
    this.#kind = kind;
  }

  /** An entry was seen below a base, and vouches for no other. */
  note(connection: LdapConnection, base: string): void {
    this.#last.set(connection, { base, at: performance.now() });
  }

  /**
   * Resolves where entries of this kind can be seen. Rejects with StoreError where none can.
   * @param query finds any of them
   */
  async confirm(connection: LdapConnection, query: SearchQuery): Promise<void> {
    if (isValid(this.#last.get(connection), query)) return;
    const underWay = this.#search.get(connection);
    if (isValid(underWay, query)) return underWay.result;
    const result = this.#look(connection, query);
    const search = { base: query.base, at: performance.now(), result };
    this.#search.set(connection, search);
    try {
      await result;
    } finally {
      if (this.#search.get(connection) === search) this.#search.delete(connection);
    }
  }

  async #look(connection: LdapConnection, query: SearchQuery): Promise<void> {
    const { result, entries } = await connection.search({ ...query, attributes: ["1.1"], sizeLimit: 1 });
    if (result.code !== SUCCESS && !isSizeLimit(result)) {
      throw resultError(result, `${connection.uri}: looking for any ${this.#kind}`);
    }
    if (entries.length === 0) {
      const place = `${connection.uri} shows no ${this.#kind} at all below "${query.base}"`;
      throw new StoreError("denied", `${place}: check our rights, the base and the filter`);
    }
    this.note(connection, query.base);
  }
}

function isValid<T extends Sighting>(sighting: T | undefined, { base }: SearchQuery): sighting is T {
  return sighting?.base === base && performance.now() - sighting.at < SIGHTING_LASTS;
}
