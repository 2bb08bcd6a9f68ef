/**
 * Whether attributes that decide about an entry that was found can be read: folders, ACL. For an account without the right
 * to read one of them, every entry looks as if it had no value. So a refusal for lack of a value counts only if another
 * entry shows a value now.
 */
import { PresenceFilter } from "ldapts";
import { StoreError } from "../../src/store/store.ts";
import { BoundedMap } from "./bounded-map.ts";
import type { LdapConnection } from "./connection.ts";
import type { Entry } from "./entry.ts";
import { isSizeLimit, NO_SUCH_OBJECT, resultError, SUCCESS } from "./result.ts";
import type { SearchQuery } from "./search-query.ts";

const SAMPLES_MAX = 1_000;

export class ShownAttributes {
  /** DN of the entry that showed a value last, by attribute and base. */
  readonly #samples = new BoundedMap<string, string>(SAMPLES_MAX);

  /** Records the entry for each attribute of which it shows a value. */
  record(base: string, entry: Entry, attributes: readonly string[]): void {
    for (const attribute of attributes) {
      if (entry.values(attribute).length > 0) this.#samples.set(keyOf(attribute, base), entry.dn);
    }
  }

  /** Resolves if some entry below the base shows a value of the attribute. Rejects with StoreError. */
  async confirm(connection: LdapConnection, query: SearchQuery, attribute: string): Promise<void> {
    const { base } = query;
    const sample = this.#samples.get(keyOf(attribute, base));
    if (sample !== undefined && (await shows(connection, { ...query, base: sample, scope: "base" }, attribute))) return;
    if (await shows(connection, query, attribute)) return;
    throw new StoreError(
      "denied",
      `${connection.uri}: no entry below "${base}" shows a value of ${attribute}, so an entry without one is not refused: ` +
        `give the account the right to read and search ${attribute}`,
    );
  }
}

async function shows(connection: LdapConnection, query: SearchQuery, attribute: string): Promise<boolean> {
  const filter = new PresenceFilter({ attribute });
  const { result, entries } = await connection.search({ ...query, filter, attributes: [attribute], sizeLimit: 1 });
  if (entries.some((entry) => entry.attributes.some(({ values }) => values.length > 0))) return true;
  if (result.code === SUCCESS || result.code === NO_SUCH_OBJECT || isSizeLimit(result)) return false;
  throw resultError(result, `${connection.uri}: searching below "${query.base}" for any entry with ${attribute}`);
}

function keyOf(attribute: string, base: string): string {
  return `${attribute.toLowerCase()} ${base}`;
}
