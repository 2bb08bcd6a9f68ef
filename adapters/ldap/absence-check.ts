/**
 * Whether "nothing found" may count as "there is no such recipient": only on a connection where the entries that the
 * filters look for can be seen, to a server that holds all of them.
 *
 * A check counts for a second, as rights may be taken away while a connection lasts, and only for searches that begin
 * after it: what became visible between a search and its check would look absent.
 */
import { BoundedMap } from "./bounded-map.ts";
import type { LdapConnection } from "./connection.ts";
import type { ReplicaCheck } from "./replica-check.ts";
import type { SearchQuery } from "./search-query.ts";
import type { VisibilityCheck } from "./visibility-check.ts";

/** Milliseconds for which a check counts. */
const CHECK_LASTS = 1_000;
/** Bases for which each connection remembers checks. */
const BASES_MAX = 1_000;

interface Check {
  /** On the clock of performance.now(). */
  readonly beganAt: number;
  readonly result: Promise<void>;
  isPassed: boolean;
}

export class AbsenceCheck {
  /** Of the filter whose entries have to exist. */
  readonly #needed: VisibilityCheck;
  /** Of filters that may find nothing. */
  readonly #others: readonly VisibilityCheck[];
  readonly #replica: ReplicaCheck | null;
  readonly #checks = new WeakMap<LdapConnection, BoundedMap<string, Check>>();

  /** @param replica null: it does not matter whether the server is complete */
  constructor(needed: VisibilityCheck, others: readonly VisibilityCheck[], replica: ReplicaCheck | null) {
    this.#needed = needed;
    this.#others = others;
    this.#replica = replica;
  }

  /** Whether a search that begins now may count without another check. */
  isFresh(connection: LdapConnection, base: string): boolean {
    const check = this.#checks.get(connection)?.get(base);
    return check?.isPassed === true && performance.now() - check.beganAt < CHECK_LASTS;
  }

  /**
   * Resolves where searches that begin afterwards may count; shared by all that wait for it at that moment. Rejects with
   * StoreError.
   * @param query says where to search, and how
   */
  confirm(connection: LdapConnection, query: SearchQuery): Promise<void> {
    const checks = this.#checks.get(connection) ?? new BoundedMap<string, Check>(BASES_MAX);
    this.#checks.set(connection, checks);
    const { base } = query;
    const underWay = checks.get(base);
    if (underWay !== undefined && (!underWay.isPassed || this.isFresh(connection, base))) return underWay.result;
    const result = this.#confirm(connection, query);
    const check: Check = { beganAt: performance.now(), result, isPassed: false };
    checks.set(base, check);
    result.then(
      () => {
        check.isPassed = true;
      },
      () => checks.delete(base),
    );
    return result;
  }

  async #confirm(connection: LdapConnection, query: SearchQuery): Promise<void> {
    await Promise.all([
      this.#needed.confirm(connection, query, true),
      ...this.#others.map((check) => check.confirm(connection, query, false)),
      this.#replica?.confirm(connection, query.base),
    ]);
  }

  /** An entry was found on a connection. */
  observe(connection: LdapConnection, base: string): void {
    this.#replica?.observe(connection, base);
  }
}
