/**
 * Whether "nothing found" may count as "there is no such recipient": only on a connection where the entries that the
 * filters look for can be seen, to a server that holds all of them.
 *
 * Rights may be taken away and given back, and replicas filled, while a connection lasts. So each check begins after a
 * search that found nothing, and there is something before it as well: another check that passed not long before the
 * search, or else the search is made again after the check. Either way an absence is wrong only if an entry was hidden,
 * shown and hidden, or the reverse, within these few operations.
 */
import { BoundedMap } from "./bounded-map.ts";
import type { LdapConnection } from "./connection.ts";
import type { ReplicaCheck } from "./replica-check.ts";
import type { SearchQuery } from "./search-query.ts";
import type { VisibilityCheck } from "./visibility-check.ts";

/** Milliseconds for which a passed check counts as one not long before a search. */
const CHECK_LASTS = 1_000;
/** Bases for which each connection remembers checks. */
const BASES_MAX = 1_000;

/** Checks of one base on one connection. */
interface BaseChecks {
  underWay: Promise<void> | null;
  /** Has not begun; shared by all searches that have ended by then. */
  next: Promise<void> | null;
  /** When the last one that passed began, on the clock of performance.now(). */
  passedAt: number;
}

export class AbsenceCheck {
  /** Of the filter whose entries have to exist. */
  readonly #needed: VisibilityCheck;
  /** Of filters that may find nothing. */
  readonly #others: readonly VisibilityCheck[];
  readonly #replica: ReplicaCheck | null;
  readonly #checks = new WeakMap<LdapConnection, BoundedMap<string, BaseChecks>>();

  /** @param replica null: it does not matter whether the server is complete */
  constructor(needed: VisibilityCheck, others: readonly VisibilityCheck[], replica: ReplicaCheck | null) {
    this.#needed = needed;
    this.#others = others;
    this.#replica = replica;
  }

  /** Whether a check has passed so lately that a search may begin now. */
  isFresh(connection: LdapConnection, base: string): boolean {
    const passedAt = this.#checks.get(connection)?.get(base)?.passedAt ?? Number.NEGATIVE_INFINITY;
    return performance.now() - passedAt < CHECK_LASTS;
  }

  /**
   * Resolves where entries can be seen after this call: a check begins now, or at the end of the one that is under way,
   * and is shared by all that wait for it. Rejects with StoreError.
   * @param query says where to search, and how
   */
  confirm(connection: LdapConnection, query: SearchQuery): Promise<void> {
    const checks = this.#checksOf(connection, query.base);
    const begin = () => {
      checks.next = null;
      return this.#begin(checks, connection, query);
    };
    // Searches whose results come in one piece share a check.
    const earlier = checks.underWay ?? new Promise<void>((resolve) => setImmediate(resolve));
    checks.next ??= earlier.then(begin, begin);
    return checks.next;
  }

  /** An entry was found on a connection. */
  observe(connection: LdapConnection, base: string): void {
    this.#replica?.observe(connection, base);
  }

  #checksOf(connection: LdapConnection, base: string): BaseChecks {
    const bases = this.#checks.get(connection) ?? new BoundedMap<string, BaseChecks>(BASES_MAX);
    this.#checks.set(connection, bases);
    const checks = bases.get(base) ?? { underWay: null, next: null, passedAt: Number.NEGATIVE_INFINITY };
    bases.set(base, checks);
    return checks;
  }

  #begin(checks: BaseChecks, connection: LdapConnection, query: SearchQuery): Promise<void> {
    const beganAt = performance.now();
    const result = this.#check(connection, query);
    checks.underWay = result;
    const end = (passedAt: number) => {
      checks.passedAt = passedAt;
      if (checks.underWay === result) checks.underWay = null;
    };
    result.then(
      () => end(beganAt),
      () => end(Number.NEGATIVE_INFINITY),
    );
    return result;
  }

  async #check(connection: LdapConnection, query: SearchQuery): Promise<void> {
    await Promise.all([
      this.#needed.confirm(connection, query, true),
      ...this.#others.map((check) => check.confirm(connection, query, false)),
      this.#replica?.confirm(connection, query.base),
    ]);
  }
}
