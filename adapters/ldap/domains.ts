/** Where the users of a domain are kept, by the entry of the domain (Cyrus' ldap_domain_*, its ptclient/ldap.c). */
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

/** Milliseconds for which a base is remembered. */
const BASE_LASTS = 60_000;
const BASES_MAX = 1000;
const DOMAINS: FilterKind = { plural: "domains", key: "ldap_domain_filter" };

export class DomainBases {
  readonly #options: DomainOptions;
  readonly #directory: DirectoryOptions;
  readonly #pool: ConnectionPool;
  readonly #domains: EntryKind;
  readonly #known = new LRUCache<string, string>({ max: BASES_MAX, ttl: BASE_LASTS });

  constructor(options: DomainOptions, directory: DirectoryOptions, pool: ConnectionPool, log: Log) {
    this.#options = options;
    this.#directory = directory;
    this.#pool = pool;
    const visibility = new VisibilityCheck(DOMAINS, options.filter, log);
    // An absent domain is no absent recipient, so it does not matter whether the server is complete.
    const absence = new AbsenceCheck(visibility, [], null);
    this.#domains = new EntryKind(DOMAINS, visibility, absence, new SlowSearchWarning(log));
  }

  /** What the domain's entry says, else "dc=…" of its first name. Rejects with StoreError. */
  async baseOf(domain: string, signal: AbortSignal): Promise<string> {
    const known = this.#known.get(domain);
    if (known !== undefined) return known;
    const { base: place, scope, nameAttribute, resultAttribute } = this.#options;
    const { derefAliases, sizeLimit, timeLimit, isDomainScope } = this.#directory;
    // %s is the only token that there is, and it has a value.
    const filter = expandFilter(this.#options.filter, new Map([["s", [domain]]])) as Filter;
    const attributes = [nameAttribute, resultAttribute];
    const query = { base: place, scope, derefAliases, filter, attributes, sizeLimit, timeLimit, isDomainScope };
    const entry = await this.#pool.use((connection) => this.#domains.findOne(connection, query), signal);
    // An unknown domain says nothing about a mailbox in it: whoever asks takes the domain for his own.
    if (entry === null) throw new StoreError("invalid-data", `ldap: no domain ${domain} below "${place}"`);
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
