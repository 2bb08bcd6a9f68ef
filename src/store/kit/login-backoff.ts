/**
 * Exponential backoff of logins that a server refused. Directories and mail servers lock an account after a few wrong
 * passwords, for all of its users, so a refused login must be retried at longer intervals than a lost connection.
 *
 * One instance serves all connections of a store, and lasts as long as the store: a reload opens a new store, whose
 * first login is tried immediately.
 */
import { type Log, StoreError } from "../store.ts";

/** The server refuses the login: the name, the password or the authentication mechanism. */
export class LoginError extends StoreError {
  /** @param message the server's response, and the options to check */
  constructor(message: string, options?: ErrorOptions) {
    super("denied", message, options);
  }
}

/** Milliseconds. The maximum bounds the delay of mail after an account was corrected at the server. */
const WAIT_FIRST = 30_000;
const WAIT_LONGEST = 600_000;
/**
 * Servers that may refuse the login within WAIT_FIRST before no login is tried at others: several servers may share one
 * directory, where each refusal counts towards the lock-out of the same account.
 */
const REFUSALS_MAX = 2;

interface LoginState {
  /** Consecutive refusals; 0: the last login was accepted, or none was tried. */
  refusals: number;
  isAccepted: boolean;
  /** On the clock of performance.now(). */
  refusedAt: number;
  waitUntil: number;
  error: LoginError | null;
}

export class LoginBackoff {
  readonly #log: Log;
  readonly #states = new Map<string, LoginState>();
  readonly #running = new Map<string, Promise<unknown>>();

  constructor(log: Log) {
    this.#log = log;
  }

  /**
   * Connects and logs in by `login`, which rejects with LoginError if the server refuses. During the wait after a
   * refusal, it rejects immediately with that LoginError. Logins at one server are serialized and share a refusal, so
   * that the connections of a pool do not all present the same wrong password.
   * @param server name for log lines, such as "ldap://a.example"
   */
  async attempt<T>(server: string, login: () => Promise<T>): Promise<T> {
    for (;;) {
      const refusal = this.#refusal(server);
      if (refusal !== null) throw refusal;
      const running = this.#running.get(server);
      if (running === undefined) break;
      await running;
    }
    const attempt = this.#login(server, login).finally(() => this.#running.delete(server));
    this.#running.set(server, attempt);
    return attempt;
  }

  async #login<T>(server: string, login: () => Promise<T>): Promise<T> {
    try {
      const connection = await login();
      this.#accepted(server);
      return connection;
    } catch (error) {
      throw error instanceof LoginError ? this.#refused(server, error) : error;
    }
  }

  /** The error of the refusal that prevents a login now; null: a login may be tried. */
  #refusal(server: string): LoginError | null {
    const now = performance.now();
    const state = this.#states.get(server);
    if (state !== undefined && now < state.waitUntil) return state.error;
    if (state?.isAccepted) return null;
    const others = [...this.#states].filter(
      ([name, { refusals, refusedAt }]) => name !== server && refusals > 0 && now - refusedAt < WAIT_FIRST,
    );
    return others.length < REFUSALS_MAX ? null : (others.at(-1)?.[1].error ?? null);
  }

  #accepted(server: string): void {
    const state = this.#states.get(server);
    if (state !== undefined && state.refusals > 0) this.#log.notice(`${server}: the login is accepted again`);
    this.#states.set(server, { refusals: 0, isAccepted: true, refusedAt: 0, waitUntil: 0, error: null });
  }

  #refused(server: string, { message, cause }: LoginError): LoginError {
    const refusals = this.#states.get(server)?.refusals ?? 0;
    const wait = Math.min(WAIT_FIRST * 2 ** refusals, WAIT_LONGEST);
    // Logged once, not for each consecutive refusal.
    if (refusals === 0) {
      this.#log.error(`${server}: ${message}; next login in ${wait / 1000} s, or at once after a reload (SIGHUP)`);
    }
    // The message is constant during the wait, so that throttled logs treat it as one subject.
    const next = new Date(Date.now() + wait).toISOString().replace(/\.\d+Z$/, "Z");
    const error = new LoginError(`${message}; no login before ${next} or a reload (SIGHUP)`, { cause });
    const now = performance.now();
    const state = { refusals: refusals + 1, isAccepted: false, refusedAt: now, waitUntil: now + wait, error };
    this.#states.set(server, state);
    return error;
  }
}
