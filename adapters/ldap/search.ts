/** One search for one entry, and the conditions under which its result counts as an absence. */
import { StoreError } from "../../src/store/store.ts";
import type { AbsenceCheck } from "./absence-check.ts";
import type { LdapConnection } from "./connection.ts";
import { Entry } from "./entry.ts";
import { resultError, SUCCESS } from "./result.ts";
import type { SearchAnswer, SearchQuery } from "./search-query.ts";
import type { SlowSearchWarning } from "./slow-search.ts";
import type { FilterKind, VisibilityCheck } from "./visibility-check.ts";

/** The entries that one filter selects. */
export class EntryKind {
  readonly #kind: FilterKind;
  readonly #visibility: VisibilityCheck;
  readonly #absence: AbsenceCheck;
  readonly #slow: SlowSearchWarning;

  constructor(kind: FilterKind, visibility: VisibilityCheck, absence: AbsenceCheck, slow: SlowSearchWarning) {
    this.#kind = kind;
    this.#visibility = visibility;
    this.#absence = absence;
    this.#slow = slow;
  }

  /**
   * Returns the only entry that matches a query, or null if the server states that there is none.
   * Rejects with StoreError in every other case: several entries, referrals, a missing base, missing rights.
   */
  async findOne(connection: LdapConnection, query: SearchQuery): Promise<Entry | null> {
    const wasFresh = this.#absence.isFresh(connection, query.base);
    const entry = await this.#search(connection, query);
    if (entry !== null) return entry;
    await this.#absence.confirm(connection, query);
    return wasFresh ? null : this.#search(connection, query);
  }

  async #search(connection: LdapConnection, query: SearchQuery): Promise<Entry | null> {
    const answer = await connection.search(query.attributes.length > 0 ? query : { ...query, attributes: ["1.1"] });
    this.#slow.record(connection, answer.duration, this.#kind);
    const entry = onlyEntry(answer, query, connection);
    if (entry === null) return null;
    this.#visibility.record(query.base, entry.dn);
    this.#absence.observe(connection, query.base);
    return entry;
  }
}

function onlyEntry(answer: SearchAnswer, query: SearchQuery, { uri }: LdapConnection): Entry | null {
  const { result, entries, references } = answer;
  const what = `${uri}: searching below "${query.base}"`;
  if (entries.length > 1) {
    const names = entries.map(({ dn }) => dn).join("; ");
    throw new StoreError("invalid-data", `${what}: several entries where one was expected: ${names}`);
  }
  if (result.code !== SUCCESS) throw resultError(result, what);
  const [entry] = entries;
  if (entry !== undefined) return new Entry(entry, query.attributes);
  if (references.length === 0) return null;
  throw new StoreError(
    "invalid-data",
    `${what}: the server returned a referral to ${references.join(" ")}; referrals are not followed`,
  );
}
