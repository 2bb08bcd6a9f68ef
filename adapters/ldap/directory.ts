/** Questions to the directory, and which answers may be taken for "there is none". */
import type { Filter } from "ldapts";
import { StoreError } from "../../src/store/store.ts";
import { type LdapConnection, rootQuery, type SearchAnswer, type SearchQuery } from "./connection.ts";
import { Entry } from "./entry.ts";
import { expandFilter, type FilterTemplate, generaliseFilter } from "./filter.ts";
import type { DirectoryOptions, DomainOptions } from "./options.ts";
import type { ConnectionPool } from "./pool.ts";
import { resultError, SUCCESS } from "./result.ts";
import { Sightings } from "./sightings.ts";
import { expandBase, type TokenValues } from "./template.ts";

/** Milliseconds for which the base of a domain is remembered. */
const BASE_LASTS = 60_000;
const BASES_MAX = 1000;

export class Directory {
  readonly #options: DirectoryOptions;
  readonly #pool: ConnectionPool;
  /** Finds any recipient. */
  readonly #anyone: Filter | null;
  readonly #recipients = new Sightings("recipients");
  readonly #domains = new Sightings("domains");
  readonly #bases = new Map<string, { readonly base: string; readonly until: number }>();

  /** @param filters all that recipients are searched by */
  constructor(options: DirectoryOptions, pool: ConnectionPool, filters: readonly FilterTemplate[]) {
    this.#options = options;
    this.#pool = pool;
    this.#anyone = generaliseFilter({ kind: "or", parts: filters });
  }

  /**
   * The only entry that a filter finds; null: the server states that there is none.
   * Rejects with StoreError in every other case: several entries, referrals, a base that is missing, no rights.
   */
  async find(
    filter: Filter,
    values: TokenValues,
    attributes: readonly string[],
    signal: AbortSignal,
  ): Promise<Entry | null> {
    const { scope, derefAliases, sizeLimit, timeLimit } = this.#options;
    const base = await this.#baseFor(values, signal);
    const query = { base, scope, derefAliases, filter, attributes, sizeLimit, timeLimit };
    return this.#pool.use((connection) => searchOne(connection, query, this.#anyone, this.#recipients), signal);
  }

  /** Resolves where a server answers now. */
  async ping(signal: AbortSignal): Promise<void> {
    // Its result does not matter: a server may hide even its root DSE.
    await this.#pool.use((connection) => connection.search(rootQuery), signal);
  }

  async #baseFor(values: TokenValues, signal: AbortSignal): Promise<string> {
    const { domains, base } = this.#options;
    if (domains !== null) return this.#baseOfDomain(domains, values.get("d")?.[0] ?? "", signal);
    const expanded = expandBase(base, values);
    if (expanded === null) throw new StoreError("invalid-data", "ldap: ldap_base has no meaning for this address");
    return expanded;
  }

  /** As Cyrus' ptloader does: what the domain's entry says, else "dc=…" of its first name. */
  async #baseOfDomain(domains: DomainOptions, domain: string, signal: AbortSignal): Promise<string> {
    const remembered = this.#bases.get(domain);
    if (remembered !== undefined && performance.now() < remembered.until) return remembered.base;
    const { scope, nameAttribute, resultAttribute } = domains;
    const { derefAliases, sizeLimit, timeLimit } = this.#options;
    const filter = expandFilter(domains.filter, new Map([["s", [domain]]])) as Filter;
    const attributes = [nameAttribute, resultAttribute];
    const query = { base: domains.base, scope, derefAliases, filter, attributes, sizeLimit, timeLimit };
    const any = generaliseFilter(domains.filter);
    const entry = await this.#pool.use((connection) => searchOne(connection, query, any, this.#domains), signal);
    // An unknown domain says nothing about a mailbox in it: whoever asks takes the domain for his own.
    if (entry === null) throw new StoreError("invalid-data", `ldap: no domain ${domain} below "${domains.base}"`);
    const base = entry.values(resultAttribute)[0] ?? standardBase(entry.values(nameAttribute)[0] ?? domain);
    this.#remember(domain, base);
    return base;
  }

  #remember(domain: string, base: string): void {
    // The oldest leaves; a domain that is in use comes back with its next look-up.
    const [oldest] = this.#bases.keys();
    if (this.#bases.size >= BASES_MAX && oldest !== undefined) this.#bases.delete(oldest);
    this.#bases.delete(domain);
    this.#bases.set(domain, { base, until: performance.now() + BASE_LASTS });
  }
}

/** @param any finds any entry of that kind; null: every entry is */
async function searchOne(
  connection: LdapConnection,
  query: SearchQuery,
  any: Filter | null,
  sightings: Sightings,
): Promise<Entry | null> {
  const answer = await connection.search(query.attributes.length > 0 ? query : { ...query, attributes: ["1.1"] });
  const entry = onlyEntry(answer, query, connection);
  if (entry === null) await sightings.confirm(connection, { ...query, filter: any ?? rootQuery.filter });
  else sightings.note(connection);
  return entry;
}

function onlyEntry(answer: SearchAnswer, query: SearchQuery, { uri }: LdapConnection): Entry | null {
  const { result, entries, references } = answer;
  const what = `${uri}: searching below "${query.base}"`;
  if (entries.length > 1) {
    const names = entries.map(({ dn }) => dn).join("; ");
    throw new StoreError("invalid-data", `${what}: several entries for one recipient: ${names}`);
  }
  if (result.code !== SUCCESS) throw resultError(result, what);
  const [entry] = entries;
  if (entry !== undefined) return new Entry(entry, query.attributes);
  if (references.length === 0) return null;
  throw new StoreError("unavailable", `${what}: goes on at ${references.join(" ")}, and referrals are not followed`);
}

function standardBase(domain: string): string {
  return domain
    .split(".")
    .map((label) => `dc=${label}`)
    .join(",");
}
