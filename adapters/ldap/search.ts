/** One search for one entry, and which answers may be taken for "there is none". */
import type { Filter } from "ldapts";
import { StoreError } from "../../src/store/store.ts";
import { type LdapConnection, rootQuery, type SearchAnswer, type SearchQuery } from "./connection.ts";
import { Entry } from "./entry.ts";
import { type FilterTemplate, generaliseFilter } from "./filter.ts";
import { resultError, SUCCESS } from "./result.ts";
import { Sightings } from "./sightings.ts";

/** Entries of one kind. */
export class EntryKind {
  readonly #sightings: Sightings;
  /** Finds any of them. */
  readonly #any: Filter;

  /** @param name in the plural, for people  @param filter finds one of them, or several for a wider net */
  constructor(name: string, filter: FilterTemplate) {
    this.#sightings = new Sightings(name);
    this.#any = generaliseFilter(filter) ?? rootQuery.filter;
  }

  /**
   * The only entry that a query finds; null: the server states that there is none.
   * Rejects with StoreError in every other case: several entries, referrals, a base that is missing, no rights.
   */
  async findOne(connection: LdapConnection, query: SearchQuery): Promise<Entry | null> {
    const answer = await connection.search(query.attributes.length > 0 ? query : { ...query, attributes: ["1.1"] });
    const entry = onlyEntry(answer, query, connection);
    if (entry === null) await this.#sightings.confirm(connection, { ...query, filter: this.#any });
    else this.#sightings.note(connection, query.base);
    return entry;
  }
}

function onlyEntry(answer: SearchAnswer, query: SearchQuery, { uri }: LdapConnection): Entry | null {
  const { result, entries, references } = answer;
  const what = `${uri}: searching below "${query.base}"`;
  if (entries.length > 1) {
    const names = entries.map(({ dn }) => dn).join("; ");
    throw new StoreError("invalid-data", `${what}: several entries where one was wanted: ${names}`);
  }
  if (result.code !== SUCCESS) throw resultError(result, what);
  const [entry] = entries;
  if (entry !== undefined) return new Entry(entry, query.attributes);
  if (references.length === 0) return null;
  throw new StoreError("invalid-data", `${what}: goes on at ${references.join(" ")}, and referrals are not followed`);
}
