/**
 * Checks whether a server holds the whole directory. A replica answers searches before its initial load is complete,
 * and a lagging one lacks the newest users. In OpenLDAP the suffix has a contextCSN once a replica is complete.
 *
 * The first URI is the source of truth. An absence from another server counts only if that server has every change that
 * was read from the first one.
 */
import { StoreError } from "../../src/store/store.ts";
import { BoundedMap } from "./bounded-map.ts";
import type { LdapConnection } from "./connection.ts";
import { type ChangeState, includesChanges, parseContextCsn } from "./context-csn.ts";
import { Entry } from "./entry.ts";
import { contextOf } from "./naming-context.ts";
import { resultError, SUCCESS } from "./result.ts";
import { rootQuery } from "./search-query.ts";

export interface ReplicaOptions {
  /**
   * auto: a server that had a contextCSN must continue to have one; csn: every server must have one from the start;
   * none: contextCSN is not read, and all servers count as complete.
   */
  readonly mode: "auto" | "csn" | "none";
  /** The first URI of ldap_uri. */
  readonly firstUri: string;
  /** Whether ldap_uri has further URIs. */
  readonly hasOthers: boolean;
}

const CONTEXTS_MAX = 1_000;
/** Milliseconds between the last read of the first server's state and the first search on another server. */
const GAP_MAX = 60_000;
/** Milliseconds between two reads of the first server's state, if other servers may have to be compared with it. */
const OBSERVE_INTERVAL = 1_000;

interface NewestState {
  readonly state: ChangeState;
  /** On the clock of performance.now(). */
  readonly observedAt: number;
  /** Milliseconds until another server was first asked after that; null: none was. */
  gap: number | null;
}

export class ReplicaCheck {
  readonly #options: ReplicaOptions;
  readonly #contexts = new WeakMap<LdapConnection, Promise<readonly string[]>>();
  /** URIs of the servers that have had a contextCSN, by naming context. */
  readonly #shown = new BoundedMap<string, Set<string>>(CONTEXTS_MAX);
  /** The state last read from the first server, by naming context. */
  readonly #newest = new BoundedMap<string, NewestState>(CONTEXTS_MAX);
  /** When the state of the first server was last read, by base. */
  readonly #observedAt = new BoundedMap<string, number>(CONTEXTS_MAX);

  constructor(options: ReplicaOptions) {
    this.#options = options;
  }

  /** Resolves if an absence from this server below the base counts. Rejects with StoreError. */
  async confirm(connection: LdapConnection, base: string): Promise<void> {
    const { mode, firstUri } = this.#options;
    const { uri } = connection;
    if (mode === "none") return;
    const context = contextOf(base, await this.#namingContexts(connection));
    const state = context === null ? null : await this.#read(connection, context);
    const isExpected = mode === "csn" || (context === null ? this.#hasShownAny(uri) : this.#hasShown(context, uri));
    if (state === null && (isExpected || uri !== firstUri)) throw incomplete(uri, base, problemOf(uri, firstUri));
    if (state === null || context === null || uri === firstUri) return;
    const newest = this.#newest.get(context);
    if (newest === undefined)
      throw incomplete(uri, base, `no contextCSN of ${firstUri} has been read yet to compare with`);
    // Changes that the first server made after the last read are unknown. On a site without mail that may be hours.
    newest.gap ??= performance.now() - newest.observedAt;
    if (newest.gap > GAP_MAX) {
      const seconds = Math.round(newest.gap / 1000);
      const problem = `contextCSN of ${firstUri} was last read ${seconds} s before this server was first asked`;
      throw incomplete(uri, base, problem);
    }
    if (!includesChanges(state, newest.state)) throw incomplete(uri, base, `it lacks changes that ${firstUri} had`);
  }

  /** Reads the state of the first server at intervals, to compare other servers with it after a failover. */
  observe(connection: LdapConnection, base: string): void {
    const { mode, firstUri, hasOthers } = this.#options;
    if (!hasOthers || mode === "none" || connection.uri !== firstUri) return;
    const now = performance.now();
    if (now - (this.#observedAt.get(base) ?? Number.NEGATIVE_INFINITY) < OBSERVE_INTERVAL) return;
    this.#observedAt.set(base, now);
    // A failure is ignored here: a look-up that needs the state reads it again.
    this.confirm(connection, base).catch(() => {});
  }

  /** Its naming contexts may have become unreadable. */
  #hasShownAny(uri: string): boolean {
    return [...this.#shown.values()].some((uris) => uris.has(uri));
  }

  #hasShown(context: string, uri: string): boolean {
    return this.#shown.get(context)?.has(uri) ?? false;
  }

  async #read(connection: LdapConnection, context: string): Promise<ChangeState | null> {
    const values = await readAttribute(connection, context, "contextCSN");
    if (values.length === 0) return null;
    const state = parseContextCsn(values);
    const { uri } = connection;
    this.#shown.set(context, (this.#shown.get(context) ?? new Set<string>()).add(uri));
    if (uri === this.#options.firstUri) this.#newest.set(context, { state, observedAt: performance.now(), gap: null });
    return state;
  }

  #namingContexts(connection: LdapConnection): Promise<readonly string[]> {
    const known = this.#contexts.get(connection) ?? readAttribute(connection, "", "namingContexts");
    this.#contexts.set(connection, known);
    // Not cached if empty: a server that is being set up may get its naming context later.
    known.then(
      (contexts) => contexts.length === 0 && this.#contexts.delete(connection),
      () => this.#contexts.delete(connection),
    );
    return known;
  }
}

/** Values of an attribute of one entry; [] if it is not readable. Rejects with StoreError if the server fails. */
async function readAttribute(connection: LdapConnection, dn: string, attribute: string): Promise<readonly string[]> {
  const { result, entries } = await connection.search({ ...rootQuery, base: dn, attributes: [attribute] });
  const [entry] = entries;
  if (entry !== undefined) return new Entry(entry, [attribute]).values(attribute).filter((value) => value !== null);
  if (result.code === SUCCESS) return [];
  const error = resultError(result, `${connection.uri}: reading ${attribute} of "${dn}"`);
  if (error.code === "unavailable" || error.code === "timeout") throw error;
  return [];
}

function problemOf(uri: string, firstUri: string): string {
  return uri === firstUri
    ? "it has no readable contextCSN"
    : "it has no readable contextCSN and is not the first of ldap_uri";
}

function incomplete(uri: string, base: string, problem: string): StoreError {
  const reason = `${problem} (smmap_ldap_replica_check)`;
  const message = `${uri} is not known to hold all entries below "${base}", so an entry that it does not find may exist`;
  return new StoreError("invalid-data", `${message}: ${reason}`);
}
