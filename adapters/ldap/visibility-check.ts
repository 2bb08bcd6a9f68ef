/**
 * Checks whether the entries that a filter selects are visible. A server that accepts the bind but does not allow
 * reading, or whose base is wrong, reports success with no entries, for all attributes of the filter or for some of
 * them.
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

/** The kind of entries that a filter selects, for messages. */
export interface FilterKind {
  /** Such as "users". */
  readonly plural: string;
  /** The option that contains the filter. */
  readonly key: string;
}

export class VisibilityCheck {
  readonly #kind: FilterKind;
  readonly #attributes: readonly AttributeVisibility[];
  /** DN of the entry found by the most recent look-up, by base. */
  readonly #lastFound = new BoundedMap<string, string>(BASES_MAX);
  readonly #log: Log;
  readonly #warned = new Set<AttributeVisibility>();

  constructor(kind: FilterKind, filter: FilterTemplate, log: Log) {
    this.#kind = kind;
    this.#attributes = addressAttributes(filter).map((attribute) => new AttributeVisibility(attribute));
    this.#log = log;
  }

  /** Called when a look-up found an entry below a base. */
  record(base: string, dn: string): void {
    this.#lastFound.set(base, dn);
  }

  /**
   * Resolves if entries are found by every attribute that has found entries before. Rejects with StoreError.
   * @param query base, scope and limits of the check
   * @param isRequired whether there must be entries below this base
   */
  async confirm(connection: LdapConnection, query: SearchQuery, isRequired: boolean): Promise<void> {
    const { base } = query;
    const known = this.#attributes.filter((attribute) => attribute.hasSamples(base));
    const others = this.#attributes.filter((attribute) => !known.includes(attribute));
    const checks = others.map((attribute) =>
      this.#isShown(attribute, connection, query, known.length === 0 && isRequired),
    );
    void Promise.allSettled(checks).then(() => this.#warnOfUnseen(connection, base));
    await Promise.all([
      ...known.map((attribute) => this.#confirmAttribute(attribute, connection, query)),
      ...others.map((attribute) => this.#confirmElsewhere(attribute, connection, query)),
      ...(isRequired && known.length === 0 ? [this.#confirmAny(checks, connection, query)] : []),
    ]);
  }

  /** Checks each attribute and warns of those that find no entries. Rejects if the connection ends. */
  async survey(connection: LdapConnection, query: SearchQuery): Promise<void> {
    await Promise.allSettled(this.#attributes.map((attribute) => attribute.check(connection, query, null)));
    if (connection.hasEnded) throw new StoreError("unavailable", `${connection.uri}: the connection was closed`);
    this.#warnOfUnseen(connection, query.base);
  }

  /** true if an entry is found by the attribute, else null (for firstFound). */
  async #isShown(
    attribute: AttributeVisibility,
    connection: LdapConnection,
    query: SearchQuery,
    isUrgent: boolean,
  ): Promise<true | null> {
    const candidate = this.#lastFound.get(query.base) ?? null;
    return (await attribute.check(connection, query, candidate, isUrgent)) === "shown" ? true : null;
  }

  async #confirmAny(
    checks: readonly Promise<true | null>[],
    { uri }: LdapConnection,
    { base }: SearchQuery,
  ): Promise<void> {
    if (await firstFound(checks)) return;
    const problem = `${uri}: no ${this.#kind.plural} are visible below "${base}"`;
    throw new StoreError("denied", `${problem}: check the rights of the account, the base and the filter`);
  }

  async #confirmAttribute(
    attribute: AttributeVisibility,
    connection: LdapConnection,
    query: SearchQuery,
  ): Promise<void> {
    if (await this.#isShown(attribute, connection, query, true)) return;
    throw visibilityLost(attribute, this.#kind, connection, query.base);
  }

  /** Checks an attribute without samples below this base at the bases that have some: rights may hide it everywhere. */
  async #confirmElsewhere(
    attribute: AttributeVisibility,
    connection: LdapConnection,
    query: SearchQuery,
  ): Promise<void> {
    for (let base = attribute.latestBase; base !== undefined; base = attribute.latestBase) {
      const visibility = await attribute.check(connection, { ...query, base }, this.#lastFound.get(base) ?? null);
      if (visibility === "shown") return;
      if (visibility === "hidden") throw visibilityLost(attribute, this.#kind, connection, base);
      attribute.forget(base);
    }
  }

  /** An unused attribute and one hidden by access rules cannot be distinguished, so warn once for each attribute. */
  #warnOfUnseen({ uri }: LdapConnection, base: string): void {
    // If no entries are visible at all, each look-up fails with its own message.
    if (!this.#attributes.some((attribute) => attribute.hasSamples(base))) return;
    const unseen = this.#attributes.filter(
      (attribute) => attribute.latestBase === undefined && !this.#warned.has(attribute),
    );
    if (unseen.length === 0) return;
    for (const attribute of unseen) this.#warned.add(attribute);
    const names = unseen.map(({ name }) => name).join(", ");
    this.#log.warning(
      `${uri}: no ${this.#kind.plural} below "${base}" can be found by ${names} of ${this.#kind.key}: ` +
        "if addresses are stored there, grant the account the right to search and read it, " +
        "otherwise existing mailboxes are NOTFOUND",
    );
  }
}

function visibilityLost(
  { name }: AttributeVisibility,
  { plural, key }: FilterKind,
  { uri }: LdapConnection,
  base: string,
): StoreError {
  const problem = `${uri}: ${plural} below "${base}" were found by ${name} of ${key}, and none are found now`;
  const advice = `grant the account the right to search and read ${name}; if no entry has it any more, reload with SIGHUP`;
  return new StoreError("denied", `${problem}: ${advice}`);
}
