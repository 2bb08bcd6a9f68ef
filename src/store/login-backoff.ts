/**
 * How soon a login that a server refused may be tried again. Directories and mail servers count wrong passwords and lock
 * the account after a few, for everything that uses it, so a refused login is not a fault to be retried at the pace of
 * a lost connection.
 *
 * One instance serves all connections of a store, and lasts as long as the store: a reload opens a new store, whose
 * first login is tried at once.
 */
import { type Log, StoreError } from "./store.ts";

/** The server refuses the login itself: the name, the password, or the way in which they are presented. */
export class LoginError extends StoreError {
  /** @param message what the server said, and which options to check */
  constructor(message: string, options?: ErrorOptions) {
    super("denied", message, options);
  }
}

/** Milliseconds. The longest wait bounds how long mail waits after an account was mended at the server. */
const WAIT_FIRST = 30_000;
const WAIT_LONGEST = 600_000;
/**
 * Servers that may refuse the login within WAIT_FIRST before the others are spared: several servers may share one
 * directory, where each refusal counts against the same account.
 */
const REFUSALS_MAX = 2;

interface LoginState {
  /** In a row; 0: the last login was accepted, or none was tried. */
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
   * Connects and logs in by `login`, which rejects with LoginError where the server refuses. Rejects at once, with
   * LoginError, while the wait after a refusal lasts. Logins at one server are made one after another, and share the
   * failure of the one before them, so that the connections of a pool cannot all present the same wrong password.
   * @param server its name in log lines, such as "ldap://a.example"
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

  /** Why no login may be tried now; null: it may. */
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
    // Logged once a fault: further refusals of the same login are no news.
    if (refusals === 0) {
      this.#log.error(`${server}: ${message}; next login in ${wait / 1000} s, or at once after a reload (SIGHUP)`);
    }
    // The same words for the whole wait, so that they are one message to whatever counts repetitions.
    const next = new Date(Date.now() + wait).toISOString().replace(/\.\d+Z$/, "Z");
    const error = new LoginError(`${message}; no login before ${next} or a reload (SIGHUP)`, { cause });
    const now = performance.now();
    const state = { refusals: refusals + 1, isAccepted: false, refusedAt: now, waitUntil: now + wait, error };
    this.#states.set(server, state);
    return error;
  }
}
