/**
 * Whether the entries that a filter looks for can be seen. A server that lets us bind but not read (rights, a wrong
 * base) finds nothing and calls that a success, for all attributes of the filter or for some of them.
 */
import { type Log, StoreError } from "../../src/store/store.ts";
import { addressAttributes } from "./address-attributes.ts";
import { AttributeVisibility } from "./attribute-visibility.ts";
import { BoundedMap } from "./bounded-map.ts";
import type { LdapConnection } from "./connection.ts";
import type { FilterTemplate } from "./filter.ts";
import { firstFound } from "./first-found.ts";
import type { SearchQuery } from "./search-query.ts";

const BASES_MAX = 1_000;

/** What a filter finds. */
export interface FilterKind {
  /** For people: "users". */
  readonly plural: string;
  /** The option that the filter comes from. */
  readonly key: string;
}

export class VisibilityCheck {
  readonly #kind: FilterKind;
  readonly #attributes: readonly AttributeVisibility[];
  /** DN of the entry that a look-up found last, by base. */
  readonly #lastFound = new BoundedMap<string, string>(BASES_MAX);
  readonly #log: Log;
  readonly #warned = new Set<AttributeVisibility>();

  constructor(kind: FilterKind, filter: FilterTemplate, log: Log) {
    this.#kind = kind;
    this.#attributes = addressAttributes(filter).map((attribute) => new AttributeVisibility(attribute));
    this.#log = log;
  }

  /** A look-up has found an entry below a base. */
  record(base: string, dn: string): void {
    this.#lastFound.set(base, dn);
  }

  /**
   * Resolves where entries can be found by every attribute by which any were found before. Rejects with StoreError.
   * @param query says where to search, and how
   * @param isNeeded there have to be entries below this base
   */
  async confirm(connection: LdapConnection, query: SearchQuery, isNeeded: boolean): Promise<void> {
    const { base } = query;
    const known = this.#attributes.filter((attribute) => attribute.isSeenIn(base));
    const others = this.#attributes.filter((attribute) => !known.includes(attribute));
    const looks = others.map((attribute) =>
      this.#isShown(attribute, connection, query, known.length === 0 && isNeeded),
    );
    void Promise.allSettled(looks).then(() => this.#warnOfUnseen(connection, base));
    await Promise.all([
      ...known.map((attribute) => this.#confirmAttribute(attribute, connection, query)),
      ...others.map((attribute) => this.#confirmElsewhere(attribute, connection, query)),
      ...(isNeeded && known.length === 0 ? [this.#confirmAny(looks, connection, query)] : []),
    ]);
  }

  /** Looks for an entry by each attribute, so that those that show none are warned of. Rejects if the connection ends. */
  async survey(connection: LdapConnection, query: SearchQuery): Promise<void> {
    await Promise.allSettled(this.#attributes.map((attribute) => attribute.look(connection, query, null)));
    if (connection.hasEnded) throw new StoreError("unavailable", `${connection.uri}: the connection was closed`);
    this.#warnOfUnseen(connection, query.base);
  }

  /** true, or null where it shows none. */
  async #isShown(
    attribute: AttributeVisibility,
    connection: LdapConnection,
    query: SearchQuery,
    isUrgent: boolean,
  ): Promise<true | null> {
    const candidate = this.#lastFound.get(query.base) ?? null;
    return (await attribute.look(connection, query, candidate, isUrgent)) === "shown" ? true : null;
  }

  async #confirmAny(
    looks: readonly Promise<true | null>[],
    { uri }: LdapConnection,
    { base }: SearchQuery,
  ): Promise<void> {
    if (await firstFound(looks)) return;
    const place = `${uri} shows no ${this.#kind.plural} at all below "${base}"`;
    throw new StoreError("denied", `${place}: check the rights of the account, the base and the filter`);
  }

  async #confirmAttribute(
    attribute: AttributeVisibility,
    connection: LdapConnection,
    query: SearchQuery,
  ): Promise<void> {
    if (await this.#isShown(attribute, connection, query, true)) return;
    throw lost(attribute, this.#kind, connection, query.base);
  }

  /** What is not used below one base may still be hidden everywhere. */
  async #confirmElsewhere(
    attribute: AttributeVisibility,
    connection: LdapConnection,
    query: SearchQuery,
  ): Promise<void> {
    for (let base = attribute.latestBase; base !== undefined; base = attribute.latestBase) {
      const visibility = await attribute.look(connection, { ...query, base }, this.#lastFound.get(base) ?? null);
      if (visibility === "shown") return;
      if (visibility === "hidden") throw lost(attribute, this.#kind, connection, base);
      attribute.forget(base);
    }
  }

  /** Once each: that nobody uses an attribute and that the server hides it look alike. */
  #warnOfUnseen({ uri }: LdapConnection, base: string): void {
    // Where nothing at all is shown, each look-up fails with a message of its own.
    if (!this.#attributes.some((attribute) => attribute.isSeenIn(base))) return;
    const unseen = this.#attributes.filter(
      (attribute) => attribute.latestBase === undefined && !this.#warned.has(attribute),
    );
    if (unseen.length === 0) return;
    for (const attribute of unseen) this.#warned.add(attribute);
    const names = unseen.map(({ name }) => name).join(", ");
    this.#log.warning(
      `${uri}: no ${this.#kind.plural} below "${base}" can be found by ${names} of ${this.#kind.key}: if addresses are kept there, give ` +
        "the account the right to search and read it, or existing mailboxes are NOTFOUND",
    );
  }
}

function lost(
  { name }: AttributeVisibility,
  { plural, key }: FilterKind,
  { uri }: LdapConnection,
  base: string,
): StoreError {
  const problem = `${uri}: ${plural} below "${base}" were found by ${name} of ${key}, and none are any more`;
  const advice = `give the account the right to search and read ${name}; if no entry has it now, reload with SIGHUP`;
  return new StoreError("denied", `${problem}: ${advice}`);
}
