/**
 * Maintains one connection of a store to the first of several endpoints that accepts it. The connection is opened once
 * for all concurrent callers and reopened after a loss (reconnect backoff, exponential with jitter).
 *
 * During the backoff, `get` rejects immediately with the last error, so an unreachable server does not cost each
 * look-up its deadline. On another endpoint than the first, the preferred ones are tried in the background (fail back).
 */
import { type Log, StoreError } from "../store.ts";
import type { EndpointHealth } from "./endpoint-health.ts";
import { type LoginBackoff, LoginError } from "./login-backoff.ts";
import { Trial } from "./trial.ts";

export interface ConnectorOptions<Endpoint, Connection> {
  /** In order of preference; at least one. */
  readonly endpoints: readonly Endpoint[];
  /**
   * Opens a connection that is ready for use. It must have a timeout of its own and stop when the signal fires. Rejects
   * with LoginError if the server refuses the login.
   */
  connect(endpoint: Endpoint, signal: AbortSignal): Promise<Connection>;
  /** Closes a connection immediately. Must not throw. */
  disconnect(connection: Connection): void;
  /** Closes a working connection that is no longer needed, after the requests in flight. */
  retire(connection: Connection): void;
  /** Name of an endpoint for log lines, such as "ldap://a.example". */
  describe(endpoint: Endpoint): string;
  /** Shared by the connectors of a store. */
  readonly logins: LoginBackoff;
  /** Shared by the connectors of a store. */
  readonly health: EndpointHealth;
  readonly log: Log;
}

/** Milliseconds. The maximum bounds the delay of mail after the server has recovered. */
const BACKOFF_MIN = 100;
const BACKOFF_MAX = 3_000;
/** Milliseconds between attempts to reach a preferred endpoint. */
const FAIL_BACK_AFTER = 30_000;

export class Connector<Endpoint, Connection> {
  readonly #options: ConnectorOptions<Endpoint, Connection>;
  readonly #names: readonly string[];
  readonly #abort = new AbortController();
  #connection: Connection | null = null;
  /** Index of the endpoint of #connection. */
  #current = 0;
  #opening: Promise<Connection> | null = null;
  #failBack: NodeJS.Timeout | null = null;
  /** Consecutive failed rounds over all endpoints. */
  #failures = 0;
  #backoffUntil = 0;
  #lastError: StoreError | null = null;
  /** Consecutive failed trials of another endpoint. */
  #failedTrials = 0;
  #nextTrialAt = 0;
  #trial: Trial<Opened<Connection>> | null = null;

  constructor(options: ConnectorOptions<Endpoint, Connection>) {
    this.#options = options;
    this.#names = options.endpoints.map((endpoint) => options.describe(endpoint));
  }

  /** The current connection; null: none is open. */
  get connection(): Connection | null {
    return this.#connection;
  }

  /** The connection, opened if necessary. Rejects with StoreError. */
  get(): Promise<Connection> {
    if (this.#abort.signal.aborted) return Promise.reject(closed());
    if (this.#connection !== null) return Promise.resolve(this.#connection);
    if (this.#opening !== null) return this.#opening;
    if (this.#lastError !== null && performance.now() < this.#backoffUntil) return Promise.reject(this.#lastError);
    this.#opening = this.#open().finally(() => {
      this.#opening = null;
    });
    return this.#opening;
  }

  /**
   * Repeats `task` on another endpoint after the current server answered that it cannot serve. On success, switches
   * over and retires `from`. On failure, keeps `from`, because the request may be the cause. With one endpoint, tries a
   * new connection to it. No trial runs during the backoff after a failed one.
   * @param error the server's answer; the result rejects with it if no other endpoint can be tried
   */
  async failOver<T>(from: Connection, error: StoreError, task: (connection: Connection) => Promise<T>): Promise<T> {
    if (this.#abort.signal.aborted) throw closed();
    // The connection was replaced meanwhile for the same reason, or lost.
    if (this.#connection !== from) return task(await this.get());
    this.#trial ??= this.#newTrial();
    const trial = this.#trial;
    if (trial === null) throw error;
    try {
      const opened = await trial.join().catch(() => {
        throw error;
      });
      const result = await task(opened.connection);
      const isCurrent = this.#trial === trial && this.#connection === from;
      if (isCurrent && !trial.lost.has(opened.connection)) this.#moveTo(trial, opened, from, error);
      return result;
    } finally {
      if (trial.leave()) this.#endTrial(trial);
    }
  }

  /** Discards a failed connection; a second report of it has no effect. */
  lost(connection: Connection): void {
    this.#trial?.lost.add(connection);
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
    this.#trial?.end(({ connection }) => this.#options.disconnect(connection));
    this.#trial = null;
  }

  async #open(): Promise<Connection> {
    const { log } = this.#options;
    let lastError: StoreError | null = null;
    for (const index of this.#inOrder()) {
      const name = this.#names[index];
      try {
        const connection = await this.#connect(index);
        this.#adopt(connection, index);
        if (this.#failures > 0 || lastError !== null) log.notice(`${name}: connected`);
        this.#failures = 0;
        this.#lastError = null;
        return connection;
      } catch (error) {
        if (this.#abort.signal.aborted) throw closed();
        lastError = asStoreError(error);
        // Logged once per outage, not per attempt. LoginBackoff logs login errors.
        if (this.#failures === 0 && !(lastError instanceof LoginError)) log.error(`${name}: ${lastError.message}`);
      }
    }
    this.#backoffUntil = performance.now() + backoff(this.#failures);
    this.#failures++;
    this.#lastError = lastError;
    throw lastError ?? new StoreError("internal", "no endpoint to connect to");
  }

  async #connect(index: number): Promise<Connection> {
    const { endpoints, connect, disconnect, logins } = this.#options;
    const { signal } = this.#abort;
    const login = () => connect(endpoints[index] as Endpoint, signal);
    const connection = await logins.attempt(this.#names[index] as string, login);
    if (!signal.aborted) return connection;
    disconnect(connection);
    throw closed();
  }

  #adopt(connection: Connection, index: number): void {
    this.#connection = connection;
    this.#current = index;
    this.#options.health.taken(this.#names[index] as string);
    this.#scheduleFailBack();
  }

  #scheduleFailBack(): void {
    this.#stopFailBack();
    if (this.#current > 0) {
      this.#failBack = setTimeout(() => void this.#tryPreferred(), FAIL_BACK_AFTER);
      this.#failBack.unref();
    }
  }

  /** Switches to the first preferred endpoint that accepts a connection, or retries later. */
  async #tryPreferred(): Promise<void> {
    const { retire, health, log } = this.#options;
    const before = this.#connection;
    const current = this.#current;
    for (const [index, name] of this.#names.slice(0, current).entries()) {
      if (health.isAvoided(name)) continue;
      try {
        const connection = await this.#connect(index);
        if (this.#connection !== before || before === null) {
          retire(connection);
          return;
        }
        this.#adopt(connection, index);
        log.notice(`${name}: connected again, leaving ${this.#names[current]}`);
        retire(before);
        return;
      } catch {
        // The endpoint still fails; the current connection stays in use.
      }
    }
    if (this.#connection === before && before !== null) this.#scheduleFailBack();
  }

  /** Indexes of the endpoints in order of preference; avoided ones are last. */
  #inOrder(): number[] {
    const { health } = this.#options;
    const indexes = [...this.#names.keys()];
    const isAvoided = (index: number) => health.isAvoided(this.#names[index] as string);
    return [...indexes.filter((index) => !isAvoided(index)), ...indexes.filter(isAvoided)];
  }

  /** null: the backoff after failed trials has not ended. */
  #newTrial(): Trial<Opened<Connection>> | null {
    const now = performance.now();
    if (now < this.#nextTrialAt) return null;
    if (now - this.#nextTrialAt > FAIL_BACK_AFTER) this.#failedTrials = 0;
    const others = this.#inOrder().filter((index) => index !== this.#current);
    if (others.length === 0) return new Trial(this.#openAny([this.#current]));
    // After a failed trial, the next one begins with the next endpoint.
    const first = this.#failedTrials % others.length;
    return new Trial(this.#openAny([...others.slice(first), ...others.slice(0, first)]));
  }

  async #openAny(indexes: readonly number[]): Promise<Opened<Connection>> {
    let lastError: unknown;
    for (const index of indexes) {
      try {
        return { connection: await this.#connect(index), index };
      } catch (error) {
        lastError = error;
      }
    }
    throw lastError;
  }

  #moveTo(trial: Trial<unknown>, opened: Opened<Connection>, from: Connection, error: StoreError): void {
    const { retire, health, log } = this.#options;
    const [left, taken] = [this.#names[this.#current] as string, this.#names[opened.index] as string];
    if (left !== taken) {
      health.left(left);
      log.warning(`${error.message}; ${taken} answers and is used instead of ${left}`);
    }
    trial.isAdopted = true;
    this.#trial = null;
    this.#failedTrials = 0;
    this.#adopt(opened.connection, opened.index);
    retire(from);
  }

  #endTrial(trial: Trial<Opened<Connection>>): void {
    trial.end(({ connection }) => this.#options.retire(connection));
    if (this.#trial !== trial) return;
    this.#trial = null;
    this.#nextTrialAt = performance.now() + backoff(this.#failedTrials);
    this.#failedTrials++;
  }

  #stopFailBack(): void {
    if (this.#failBack !== null) clearTimeout(this.#failBack);
    this.#failBack = null;
  }
}

interface Opened<Connection> {
  readonly connection: Connection;
  readonly index: number;
}

/** Exponential backoff with jitter, milliseconds. @param failures before the last one */
function backoff(failures: number): number {
  return Math.min(BACKOFF_MIN * 2 ** failures, BACKOFF_MAX) * (0.5 + Math.random() / 2);
}

function closed(): StoreError {
  return new StoreError("closed", "the store is closed");
}

function asStoreError(error: unknown): StoreError {
  if (error instanceof StoreError) return error;
  return new StoreError("unavailable", error instanceof Error ? error.message : String(error), { cause: error });
}
