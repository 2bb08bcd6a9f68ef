/** Searches for users and shared folders in the directory. */
import type { Filter } from "ldapts";
import { type Log, type MailboxFacts, StoreError } from "../../src/store/store.ts";
import { AbsenceCheck } from "./absence-check.ts";
import type { LdapConnection } from "./connection.ts";
import { DomainBases } from "./domains.ts";
import type { Entry } from "./entry.ts";
import { expandFilter, type FilterTemplate } from "./filter.ts";
import type { DirectoryOptions } from "./options.ts";
import type { ConnectionPool } from "./pool.ts";
import { ReplicaCheck } from "./replica-check.ts";
import { EntryKind } from "./search.ts";
import { rootQuery, type SearchQuery } from "./search-query.ts";
import { ShownAttributes } from "./shown-attributes.ts";
import { SlowSearchWarning } from "./slow-search.ts";
import { expandBase, type TokenValues } from "./template.ts";
import { type FilterKind, VisibilityCheck } from "./visibility-check.ts";

const USERS: FilterKind = { plural: "users", key: "ldap_filter" };
const SHARED: FilterKind = { plural: "shared folders", key: "smmap_ldap_shared_filter" };

/** How an entry that was found becomes facts. */
export interface EntryReader {
  /** @throws StoreError where the entry is invalid */
  facts(entry: Entry): MailboxFacts;
  /** True if the facts refuse mail for absence or for missing rights. */
  isRefusal(facts: MailboxFacts): boolean;
  /** The attribute without a value of which the facts refuse mail; null: there is none. */
  readonly decidingAttribute: string | null;
}

export class Directory {
  readonly #options: DirectoryOptions;
  readonly #pool: ConnectionPool;
  readonly #userFilter: FilterTemplate;
  readonly #sharedFilter: FilterTemplate | null;
  readonly #users: EntryKind;
  readonly #shared: EntryKind;
  readonly #visibility: readonly VisibilityCheck[];
  readonly #replica: ReplicaCheck;
  readonly #shown = new ShownAttributes();
  #survey: Promise<void> | null = null;
  readonly #domains: DomainBases | null;

  /** @param sharedFilter null if the store has no shared folders */
  constructor(
    options: DirectoryOptions,
    pool: ConnectionPool,
    userFilter: FilterTemplate,
    sharedFilter: FilterTemplate | null,
    log: Log,
  ) {
    this.#options = options;
    this.#pool = pool;
    this.#userFilter = userFilter;
    this.#sharedFilter = sharedFilter;
    // A directory without shared folders is valid, so only users must exist.
    const users = new VisibilityCheck(USERS, userFilter, log);
    const shared = sharedFilter === null ? [] : [new VisibilityCheck(SHARED, sharedFilter, log)];
    this.#replica = new ReplicaCheck(options.replica);
    const absence = new AbsenceCheck(users, shared, this.#replica);
    const slow = new SlowSearchWarning(log);
    this.#users = new EntryKind(USERS, users, absence, slow);
    this.#shared = new EntryKind(SHARED, shared[0] ?? users, absence, slow);
    this.#visibility = [users, ...shared];
    this.#domains = options.domains === null ? null : new DomainBases(options.domains, options, pool, log);
  }

  /**
   * Facts of the only user with these values; null if the server states that there is none. Rejects with StoreError.
   * @param read facts of the entry
   */
  async findUser(
    values: TokenValues,
    attributes: readonly string[],
    read: EntryReader,
    signal: AbortSignal,
  ): Promise<MailboxFacts | null> {
    const filter = expandFilter(this.#userFilter, values);
    if (filter === null)
      throw new StoreError("invalid-data", "ldap: a token of ldap_filter has no value for this address");
    return this.#find(this.#users, filter, values, attributes, read, signal);
  }

  /** The only shared folder, likewise; null also if the filter cannot match because a token has no value. */
  async findShared(
    values: TokenValues,
    attributes: readonly string[],
    read: EntryReader,
    signal: AbortSignal,
  ): Promise<MailboxFacts | null> {
    const filter = this.#sharedFilter === null ? null : expandFilter(this.#sharedFilter, values);
    return filter === null ? null : this.#find(this.#shared, filter, values, attributes, read, signal);
  }

  /** Resolves if a server answers now. Rejects with StoreError. */
  async ping(signal: AbortSignal): Promise<void> {
    // The result code is ignored: a server may hide even its root DSE.
    await this.#pool.use((connection) => connection.search(rootQuery), signal);
  }

  /**
   * Searches once for an entry by each attribute of the filters, to warn of those that find none, and to detect when
   * others find none later. Only if all users are below one base. Never rejects.
   */
  survey(signal: AbortSignal): Promise<void> {
    this.#survey ??= this.#surveyOnce(signal);
    return this.#survey;
  }

  async #surveyOnce(signal: AbortSignal): Promise<void> {
    const base = this.#domains === null ? expandBase(this.#options.base, new Map()) : null;
    if (base === null) return;
    const query = this.#query(base, rootQuery.filter, []);
    const survey = (connection: LdapConnection) =>
      Promise.all(this.#visibility.map((check) => check.survey(connection, query)));
    await this.#pool.use(survey, signal).catch(() => {
      // Repeated with the next look-up.
      this.#survey = null;
    });
  }

  async #find(
    kind: EntryKind,
    filter: Filter,
    values: TokenValues,
    attributes: readonly string[],
    { facts, isRefusal, decidingAttribute }: EntryReader,
    signal: AbortSignal,
  ): Promise<MailboxFacts | null> {
    const query = this.#query(await this.#baseFor(values, signal), filter, attributes);
    return this.#pool.use(async (connection) => {
      const entry = await kind.findOne(connection, query);
      if (entry === null) return null;
      const found = facts(entry);
      this.#shown.record(query.base, entry, attributes);
      if (!isRefusal(found)) return found;
      // Like an absence, a refusal counts only from a server that is up to date, and not for an attribute that is hidden.
      await this.#replica.confirm(connection, query.base);
      const isMissing = decidingAttribute !== null && entry.values(decidingAttribute).length === 0;
      if (isMissing) await this.#shown.confirm(connection, query, decidingAttribute);
      return found;
    }, signal);
  }

  #query(base: string, filter: Filter, attributes: readonly string[]): SearchQuery {
    const { scope, derefAliases, sizeLimit, timeLimit, isDomainScope } = this.#options;
    return { base, scope, derefAliases, filter, attributes, sizeLimit, timeLimit, isDomainScope };
  }

  async #baseFor(values: TokenValues, signal: AbortSignal): Promise<string> {
    if (this.#domains !== null) return this.#domains.baseOf(values.get("d")?.[0] ?? "", signal);
    const base = expandBase(this.#options.base, values);
    if (base === null) throw new StoreError("invalid-data", "ldap: a token of ldap_base has no value for this address");
    return base;
  }
}
