/** Determines the base of a domain's users from the domain's entry (Cyrus' ldap_domain_*, its ptclient/ldap.c). */
import type { Filter } from "ldapts";
import { LRUCache } from "lru-cache";
import { type Log, StoreError } from "../../src/store/store.ts";
import { AbsenceCheck } from "./absence-check.ts";
import { expandFilter } from "./filter.ts";
import type { DirectoryOptions, DomainOptions } from "./options.ts";
import type { ConnectionPool } from "./pool.ts";
import { EntryKind } from "./search.ts";
import { SlowSearchWarning } from "./slow-search.ts";
import { escapeDnValue } from "./template.ts";
import { type FilterKind, VisibilityCheck } from "./visibility-check.ts";

/** Milliseconds for which a base is cached. */
const BASE_TTL = 60_000;
const BASES_MAX = 1000;
const DOMAINS: FilterKind = { plural: "domains", key: "ldap_domain_filter" };

export class DomainBases {
  readonly #options: DomainOptions;
  readonly #directory: DirectoryOptions;
  readonly #pool: ConnectionPool;
  readonly #domains: EntryKind;
  readonly #known = new LRUCache<string, string>({ max: BASES_MAX, ttl: BASE_TTL });

  constructor(options: DomainOptions, directory: DirectoryOptions, pool: ConnectionPool, log: Log) {
    this.#options = options;
    this.#directory = directory;
    this.#pool = pool;
    const visibility = new VisibilityCheck(DOMAINS, options.filter, log);
    // An absent domain never becomes an absent recipient, so the completeness of the server is irrelevant.
    const absence = new AbsenceCheck(visibility, [], null);
    this.#domains = new EntryKind(DOMAINS, visibility, absence, new SlowSearchWarning(log));
  }

  /** The base in the domain's entry, else "dc=…" of its first name. Rejects with StoreError. */
  async baseOf(domain: string, signal: AbortSignal): Promise<string> {
    const known = this.#known.get(domain);
    if (known !== undefined) return known;
    const { base: domainBase, scope, nameAttribute, resultAttribute } = this.#options;
    const { derefAliases, sizeLimit, timeLimit, isDomainScope } = this.#directory;
    // %s is the only allowed token and has a value, so the result is never null.
    const filter = expandFilter(this.#options.filter, new Map([["s", [domain]]])) as Filter;
    const attributes = [nameAttribute, resultAttribute];
    const query = { base: domainBase, scope, derefAliases, filter, attributes, sizeLimit, timeLimit, isDomainScope };
    const entry = await this.#pool.use((connection) => this.#domains.findOne(connection, query), signal);
    // An unknown domain is no absence of the mailbox: the mail server treats the domain as local.
    if (entry === null) throw new StoreError("invalid-data", `ldap: no domain ${domain} below "${domainBase}"`);
    const base = entry.values(resultAttribute)[0] ?? standardBase(entry.values(nameAttribute)[0] ?? domain);
    this.#known.set(domain, base);
    return base;
  }
}

function standardBase(domain: string): string {
  return domain
    .split(".")
    .map((label) => `dc=${escapeDnValue(label)}`)
    .join(",");
}
