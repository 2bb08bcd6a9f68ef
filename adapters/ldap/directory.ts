/** The directory as a place where users and shared folders are looked for. */
import type { Filter } from "ldapts";
import { StoreError } from "../../src/store/store.ts";
import { rootQuery } from "./connection.ts";
import { DomainBases } from "./domains.ts";
import type { Entry } from "./entry.ts";
import { expandFilter, type FilterTemplate } from "./filter.ts";
import type { DirectoryOptions } from "./options.ts";
import type { ConnectionPool } from "./pool.ts";
import { EntryKind } from "./search.ts";
import { expandBase, type TokenValues } from "./template.ts";

export class Directory {
  readonly #options: DirectoryOptions;
  readonly #pool: ConnectionPool;
  readonly #userFilter: FilterTemplate;
  readonly #sharedFilter: FilterTemplate | null;
  readonly #users: EntryKind;
  readonly #shared: EntryKind;
  readonly #domains: DomainBases | null;

  /** @param sharedFilter null: there are no shared folders */
  constructor(
    options: DirectoryOptions,
    pool: ConnectionPool,
    userFilter: FilterTemplate,
    sharedFilter: FilterTemplate | null,
  ) {
    this.#options = options;
    this.#pool = pool;
    this.#userFilter = userFilter;
    this.#sharedFilter = sharedFilter;
    this.#users = new EntryKind("users", userFilter);
    // A directory may well be without shared folders: that we can read it is vouched for by users, too.
    this.#shared = new EntryKind("recipients", { kind: "or", parts: [userFilter, sharedFilter ?? userFilter] });
    this.#domains = options.domains === null ? null : new DomainBases(options.domains, options, pool);
  }

  /** The only user that there is by these values; null: the server states that there is none. Rejects with StoreError. */
  async findUser(values: TokenValues, attributes: readonly string[], signal: AbortSignal): Promise<Entry | null> {
    const filter = expandFilter(this.#userFilter, values);
    if (filter === null) throw new StoreError("invalid-data", "ldap: ldap_filter has no meaning for this address");
    return this.#find(this.#users, filter, values, attributes, signal);
  }

  /** The only shared folder, likewise; null also where the filter has no meaning for such an address. */
  async findShared(values: TokenValues, attributes: readonly string[], signal: AbortSignal): Promise<Entry | null> {
    const filter = this.#sharedFilter === null ? null : expandFilter(this.#sharedFilter, values);
    return filter === null ? null : this.#find(this.#shared, filter, values, attributes, signal);
  }

  /** Resolves where a server answers now. Rejects with StoreError. */
  async ping(signal: AbortSignal): Promise<void> {
    // Its result does not matter: a server may hide even its root DSE.
    await this.#pool.use((connection) => connection.search(rootQuery), signal);
  }

  async #find(
    kind: EntryKind,
    filter: Filter,
    values: TokenValues,
    attributes: readonly string[],
    signal: AbortSignal,
  ): Promise<Entry | null> {
    const { scope, derefAliases, sizeLimit, timeLimit } = this.#options;
    const base = await this.#baseFor(values, signal);
    const query = { base, scope, derefAliases, filter, attributes, sizeLimit, timeLimit };
    return this.#pool.use((connection) => kind.findOne(connection, query), signal);
  }

  async #baseFor(values: TokenValues, signal: AbortSignal): Promise<string> {
    if (this.#domains !== null) return this.#domains.baseOf(values.get("d")?.[0] ?? "", signal);
    const base = expandBase(this.#options.base, values);
    if (base === null) throw new StoreError("invalid-data", "ldap: ldap_base has no meaning for this address");
    return base;
  }
}
