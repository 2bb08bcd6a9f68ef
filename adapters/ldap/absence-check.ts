/**
 * Decides whether a search without entries counts as an absence. It does only if entries that match the filters are
 * visible on the same connection, and the server holds the whole directory.
 *
 * Rights may be revoked and granted, and replicas filled, during a connection. So an absence requires a passed check
 * after the search. In addition, either a check that began within the second before the search passed, or the search is
 * repeated after the check. An absence is wrong only if the visibility of an entry changes twice within these
 * operations.
 */
import { BoundedMap } from "./bounded-map.ts";
import type { LdapConnection } from "./connection.ts";
import type { ReplicaCheck } from "./replica-check.ts";
import type { SearchQuery } from "./search-query.ts";
import type { VisibilityCheck } from "./visibility-check.ts";

/** Milliseconds after its beginning for which a passed check counts as one before a search. */
const CHECK_LASTS = 1_000;
/** Limit of bases whose checks are remembered for each connection. */
const BASES_MAX = 1_000;

/** Checks of one base on one connection. */
interface BaseChecks {
  running: Promise<void> | null;
  /** Has not begun; shared by all searches that end before it begins. */
  next: Promise<void> | null;
  /** When the last check began, by performance.now(); -Infinity if it failed or there was none. */
  passedAt: number;
}

export class AbsenceCheck {
  /** The check of the filter that must have entries. */
  readonly #required: VisibilityCheck;
  /** The checks of filters that need not have entries. */
  readonly #others: readonly VisibilityCheck[];
  readonly #replica: ReplicaCheck | null;
  readonly #checks = new WeakMap<LdapConnection, BoundedMap<string, BaseChecks>>();

  /** @param replica null if the completeness of the server is irrelevant */
  constructor(required: VisibilityCheck, others: readonly VisibilityCheck[], replica: ReplicaCheck | null) {
    this.#required = required;
    this.#others = others;
    this.#replica = replica;
  }

  /** True if a check passed recently enough to count as the check before a search that begins now. */
  isFresh(connection: LdapConnection, base: string): boolean {
    const passedAt = this.#checks.get(connection)?.get(base)?.passedAt ?? Number.NEGATIVE_INFINITY;
    return performance.now() - passedAt < CHECK_LASTS;
  }

  /**
   * Resolves if entries are visible after this call: a check begins now, or after the running one, and is shared by all
   * callers that wait for it. Rejects with StoreError.
   * @param query base, scope and limits of the check
   */
  confirm(connection: LdapConnection, query: SearchQuery): Promise<void> {
    const checks = this.#checksOf(connection, query.base);
    const begin = () => {
      checks.next = null;
      return this.#begin(checks, connection, query);
    };
    // Searches whose results arrive in one chunk share a check.
    const earlier = checks.running ?? new Promise<void>((resolve) => setImmediate(resolve));
    checks.next ??= earlier.then(begin, begin);
    return checks.next;
  }

  /** Called when a search on a connection found an entry. */
  observe(connection: LdapConnection, base: string): void {
    this.#replica?.observe(connection, base);
  }

  #checksOf(connection: LdapConnection, base: string): BaseChecks {
    const bases = this.#checks.get(connection) ?? new BoundedMap<string, BaseChecks>(BASES_MAX);
    this.#checks.set(connection, bases);
    const checks = bases.get(base) ?? { running: null, next: null, passedAt: Number.NEGATIVE_INFINITY };
    bases.set(base, checks);
    return checks;
  }

  #begin(checks: BaseChecks, connection: LdapConnection, query: SearchQuery): Promise<void> {
    const beganAt = performance.now();
    const result = this.#check(connection, query);
    checks.running = result;
    const end = (passedAt: number) => {
      checks.passedAt = passedAt;
      if (checks.running === result) checks.running = null;
    };
    result.then(
      () => end(beganAt),
      () => end(Number.NEGATIVE_INFINITY),
    );
    return result;
  }

  async #check(connection: LdapConnection, query: SearchQuery): Promise<void> {
    await Promise.all([
      this.#required.confirm(connection, query, true),
      ...this.#others.map((check) => check.confirm(connection, query, false)),
      this.#replica?.confirm(connection, query.base),
    ]);
  }
}
