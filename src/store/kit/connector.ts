/**
 * Keeps one connection for a store behind a network: to the first of several endpoints that takes it, made once
 * however many ask for it, made anew when it is lost, with a pause that grows while nobody answers.
 *
 * While it pauses, `get` rejects at once with the last failure: a dead server costs microseconds, not a deadline each.
 * On another endpoint than the first, it tries the preferred ones again in the background and moves back.
 */
import { type Log, StoreError } from "../store.ts";

export interface ConnectorOptions<Endpoint, Connection> {
  /** In the order of preference; at least one. */
  readonly endpoints: readonly Endpoint[];
  /** Makes a connection that is ready for use. It must end by itself, and give up when the signal fires. */
  connect(endpoint: Endpoint, signal: AbortSignal): Promise<Connection>;
  /** Ends a connection, whatever is in flight on it. Must not throw. */
  disconnect(connection: Connection): void;
  /** Ends a connection that is good but not wanted any more, after what is in flight on it. */
  retire(connection: Connection): void;
  /** An endpoint for people, such as "ldap://a.example". */
  describe(endpoint: Endpoint): string;
  readonly log: Log;
}

/** Milliseconds. The longest pause bounds how long mail waits after the server is back. */
const PAUSE_FIRST = 100;
const PAUSE_LONGEST = 3_000;
const FAIL_BACK_AFTER = 30_000;

export class Connector<Endpoint, Connection> {
  readonly #options: ConnectorOptions<Endpoint, Connection>;
  readonly #abort = new AbortController();
  #connection: Connection | null = null;
  /** Index of the endpoint of #connection. */
  #current = 0;
  #opening: Promise<Connection> | null = null;
  #failBack: NodeJS.Timeout | null = null;
  /** Rounds over all endpoints that failed one after another. */
  #failures = 0;
  #pauseUntil = 0;
  #lastError: StoreError | null = null;

  constructor(options: ConnectorOptions<Endpoint, Connection>) {
    this.#options = options;
  }

  /** The connection if there is one now. */
  get connection(): Connection | null {
    return this.#connection;
  }

  /** The connection, made if need be. Rejects with StoreError. */
  get(): Promise<Connection> {
    if (this.#abort.signal.aborted) return Promise.reject(closed());
    if (this.#connection !== null) return Promise.resolve(this.#connection);
    if (this.#opening !== null) return this.#opening;
    if (this.#lastError !== null && performance.now() < this.#pauseUntil) return Promise.reject(this.#lastError);
    this.#opening = this.#open().finally(() => {
      this.#opening = null;
    });
    return this.#opening;
  }

  /** Forgets a connection that failed; a second report of the same one is no news. */
  lost(connection: Connection): void {
    if (this.#connection !== connection) return;
    this.#connection = null;
    this.#stopFailBack();
    this.#options.disconnect(connection);
  }

  close(): void {
    if (this.#abort.signal.aborted) return;
    this.#abort.abort(closed());
    this.#stopFailBack();
    if (this.#connection !== null) this.#options.disconnect(this.#connection);
    this.#connection = null;
  }

  async #open(): Promise<Connection> {
    const { endpoints, describe, log } = this.#options;
    let lastError: StoreError | null = null;
    for (const [index, endpoint] of endpoints.entries()) {
      try {
        const connection = await this.#connect(endpoint);
        this.#adopt(connection, index);
        if (this.#failures > 0 || lastError !== null) log.notice(`${describe(endpoint)}: connected`);
        this.#failures = 0;
        this.#lastError = null;
        return connection;
      } catch (error) {
        if (this.#abort.signal.aborted) throw closed();
        lastError = asStoreError(error);
        // Said once a fault, not once a try.
        if (this.#failures === 0) log.error(`${describe(endpoint)}: ${lastError.message}`);
      }
    }
    const pause = Math.min(PAUSE_FIRST * 2 ** this.#failures, PAUSE_LONGEST);
    this.#failures++;
    this.#pauseUntil = performance.now() + pause * (0.5 + Math.random() / 2);
    this.#lastError = lastError;
    throw lastError ?? new StoreError("internal", "no endpoint to connect to");
  }

  async #connect(endpoint: Endpoint): Promise<Connection> {
    const connection = await this.#options.connect(endpoint, this.#abort.signal);
    if (!this.#abort.signal.aborted) return connection;
    this.#options.disconnect(connection);
    throw closed();
  }

  #adopt(connection: Connection, index: number): void {
    this.#connection = connection;
    this.#current = index;
    this.#stopFailBack();
    if (index > 0) {
      this.#failBack = setTimeout(() => void this.#tryPreferred(), FAIL_BACK_AFTER);
      this.#failBack.unref();
    }
  }

  /** Moves to the first better endpoint that answers, or looks again later. */
  async #tryPreferred(): Promise<void> {
    const { endpoints, retire, describe, log } = this.#options;
    const before = this.#connection;
    const current = this.#current;
    for (const [index, endpoint] of endpoints.slice(0, current).entries()) {
      try {
        const connection = await this.#connect(endpoint);
        if (this.#connection !== before || before === null) {
          retire(connection);
          return;
        }
        this.#adopt(connection, index);
        log.notice(`${describe(endpoint)}: connected again, leaving ${describe(endpoints[current] as Endpoint)}`);
        retire(before);
        return;
      } catch {
        // Still away: the connection that we have goes on serving.
      }
    }
    if (this.#connection === before && before !== null) this.#adopt(before, current);
  }

  #stopFailBack(): void {
    if (this.#failBack !== null) clearTimeout(this.#failBack);
    this.#failBack = null;
  }
}

function closed(): StoreError {
  return new StoreError("closed", "the store is closed");
}

function asStoreError(error: unknown): StoreError {
  if (error instanceof StoreError) return error;
  return new StoreError("unavailable", error instanceof Error ? error.message : String(error), { cause: error });
}
