/**
 * Whether a server is known to hold the whole directory. A replica that is being filled answers before it is complete,
 * and one that lags does not know the newest users. OpenLDAP shows contextCSN at the suffix once a replica is complete.
 *
 * The first URI is the source of truth. Absence from another counts only where that one has every change that the first
 * has shown to us.
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
   * auto: a server that has shown contextCSN has to go on doing so; csn: it has to from the start; none: contextCSN is
   * not looked at, and all servers count as complete.
   */
  readonly mode: "auto" | "csn" | "none";
  /** The first of ldap_uri. */
  readonly firstUri: string;
  /** Whether there are others. */
  readonly hasOthers: boolean;
}

const CONTEXTS_MAX = 1_000;
/** Milliseconds between the last observation of the first server and the first question to another one. */
const GAP_MAX = 60_000;
/** Milliseconds between two looks at the state of the first server, where another may have to be compared with it. */
const OBSERVE_EVERY = 1_000;

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
  /** Naming contexts with the URIs of servers that have shown contextCSN for them. */
  readonly #shown = new BoundedMap<string, Set<string>>(CONTEXTS_MAX);
  /** What the first server has shown last, by naming context. */
  readonly #newest = new BoundedMap<string, NewestState>(CONTEXTS_MAX);
  /** When the state of the first server was last observed, by base. */
  readonly #observedAt = new BoundedMap<string, number>(CONTEXTS_MAX);

  constructor(options: ReplicaOptions) {
    this.#options = options;
  }

  /** Resolves where what a server does not show below a base is not there. Rejects with StoreError. */
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
    if (newest === undefined) throw incomplete(uri, base, `there is no contextCSN of ${firstUri} to compare with yet`);
    // Changes that the first server made after it was last observed are unknown. On a quiet site that may be hours.
    newest.gap ??= performance.now() - newest.observedAt;
    if (newest.gap > GAP_MAX) {
      const seconds = Math.round(newest.gap / 1000);
      throw incomplete(
        uri,
        base,
        `contextCSN of ${firstUri} was last read ${seconds} s before this server was first asked`,
      );
    }
    if (!includesChanges(state, newest.state)) throw incomplete(uri, base, `it lacks changes that ${firstUri} had`);
  }

  /** Notes the state of the first server now and then, for the time when another one stands in for it. */
  observe(connection: LdapConnection, base: string): void {
    const { mode, firstUri, hasOthers } = this.#options;
    if (!hasOthers || mode === "none" || connection.uri !== firstUri) return;
    const now = performance.now();
    if (now - (this.#observedAt.get(base) ?? Number.NEGATIVE_INFINITY) < OBSERVE_EVERY) return;
    this.#observedAt.set(base, now);
    // Whatever fails here is found out again by the look-up that it matters to.
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
    // A server that is being set up may get its naming context later.
    known.then(
      (contexts) => contexts.length === 0 && this.#contexts.delete(connection),
      () => this.#contexts.delete(connection),
    );
    return known;
  }
}

/** Values of an attribute of one entry; [] where we may not see it. Rejects with StoreError where the server is in trouble. */
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
  return uri === firstUri ? "it shows no contextCSN" : `it shows no contextCSN and is not the first of ldap_uri`;
}

function incomplete(uri: string, base: string, problem: string): StoreError {
  const words = `${uri} is not known to hold all entries below "${base}", so what it does not find may exist: ${problem}`;
  return new StoreError("invalid-data", `${words} (smmap_ldap_replica_check)`);
}
