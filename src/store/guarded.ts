/**
 * A wrapper around every store, so that adapters stay simple: a deadline for each look-up, conversion of errors to
 * StoreError, validation of answers, a circuit breaker and a single close. An invalid answer is an error.
 */
import { type BreakerSettings, CircuitBreaker } from "./circuit-breaker.ts";
import { Deadlines } from "./kit/deadlines.ts";
import { ThrottledLog } from "./kit/throttled-log.ts";
import { Lookup } from "./lookup.ts";
import {
  type Log,
  type LookupOptions,
  type MailboxFacts,
  type MailboxId,
  type MailboxStore,
  type QuotaUsage,
  type StoreCapabilities,
  StoreError,
  storeErrorCodes,
} from "./store.ts";
import type { StoreEvents } from "./store-events.ts";

export interface GuardOptions {
  /** Milliseconds for a whole look-up; then it fails with "timeout". */
  readonly timeout: number;
  readonly breaker: BreakerSettings;
  readonly log: Log;
  /** Receives events for the metrics. Omitted: none are counted. */
  readonly events?: StoreEvents;
}

const ABSENT: MailboxFacts = { exists: false };
/** Milliseconds between two log lines of the same failure, and between two recoveries. */
const LOG_INTERVAL = 10_000;

export class GuardedStore implements MailboxStore {
  readonly #store: MailboxStore;
  readonly #options: GuardOptions;
  readonly #deadlines: Deadlines;
  readonly #breaker: CircuitBreaker;
  readonly #pending = new Set<(reason: StoreError) => void>();
  #closing: Promise<void> | null = null;
  #idle: (() => void) | null = null;
  readonly #failureLog: ThrottledLog;
  readonly #recoveryLog: ThrottledLog;
  /** Look-ups that failed since the last recovery was logged. */
  #failures = 0;
  /** A failure was logged, and no recovery since. */
  #isFailing = false;

  constructor(store: MailboxStore, options: GuardOptions) {
    this.#store = store;
    this.#options = options;
    this.#deadlines = new Deadlines(options.timeout);
    this.#breaker = new CircuitBreaker(options.breaker);
    this.#failureLog = new ThrottledLog(options.log, { interval: LOG_INTERVAL, countsSuppressed: true });
    this.#recoveryLog = new ThrottledLog(options.log, { interval: LOG_INTERVAL });
  }

  get name(): string {
    return this.#store.name;
  }

  get capabilities(): StoreCapabilities {
    return this.#store.capabilities;
  }

  /** Whether the circuit breaker is open: look-ups fail immediately and do not reach the store. */
  get isBreakerOpen(): boolean {
    return this.#breaker.isOpen;
  }

  /** Facts, synchronous if the store is. Throws or rejects with StoreError only. */
  lookup(mailbox: MailboxId, options: LookupOptions): MailboxFacts | Promise<MailboxFacts> {
    if (this.#closing !== null) throw closed(this.name);
    const wanted = this.#withinCapabilities(mailbox);
    if (wanted === null) return ABSENT;
    if (!this.#breaker.admits()) {
      this.#options.events?.shortCircuited();
      throw new StoreError(
        "unavailable",
        `${this.name}: look-up skipped, the circuit breaker is open after repeated failures`,
      );
    }
    // Cancelled with the request, or separately at the store's own deadline.
    const lookup = new Lookup(options);
    try {
      const answer = this.#store.lookup(wanted, lookup);
      return isPromise(answer) ? this.#withDeadline(answer, lookup) : this.#accept(answer, null);
    } catch (error) {
      throw this.#fail(error);
    }
  }

  dataVersion(): number | null {
    if (this.#closing !== null) return null;
    try {
      return this.#store.dataVersion?.() ?? null;
    } catch {
      // The look-up that follows fails with the same error and reports it.
      return null;
    }
  }

  /** Resolves if the backend responds within the deadline of a look-up. */
  async ping(options: LookupOptions): Promise<void> {
    if (this.#closing !== null) throw closed(this.name);
    const lookup = new Lookup(options);
    await this.#race(this.#store.ping(lookup), lookup);
  }

  /** Closes the store after the look-ups in flight. */
  async retire(): Promise<void> {
    do {
      if (this.#pending.size > 0) {
        await new Promise<void>((resolve) => {
          this.#idle = resolve;
        });
      }
      // Some requests take two look-ups, one after the other.
      await new Promise((resolve) => setImmediate(resolve));
    } while (this.#pending.size > 0);
    await this.close();
  }

  /** Rejects the look-ups in flight with "closed" and closes the store. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    for (const reject of this.#pending) reject(closed(this.name));
    try {
      await this.#store.close();
    } catch (error) {
      this.#options.log.warning(
        `${this.name}: closing failed: ${error instanceof Error ? error.message : String(error)}`,
      );
    }
  }

  /** The mailbox to look up, reduced to the store's capabilities; null: the store has no mailbox of that kind. */
  #withinCapabilities(mailbox: MailboxId): MailboxId | null {
    if (mailbox.kind === "shared") return this.#store.capabilities.shared ? mailbox : null;
    return mailbox.folders.length === 0 || this.#store.capabilities.folders ? mailbox : { ...mailbox, folders: [] };
  }

  async #withDeadline(answer: Promise<MailboxFacts>, lookup: Lookup): Promise<MailboxFacts> {
    const since = performance.now();
    try {
      return this.#accept(await this.#race(answer, lookup), since);
    } catch (error) {
      throw this.#fail(error);
    }
  }

  /** Resolves with the answer; rejects with StoreError if the deadline passes or the store is closed first. */
  #race<T>(answer: Promise<T>, lookup: Lookup): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const settle = () => {
        this.#deadlines.remove(deadline);
        this.#pending.delete(giveUp);
        if (this.#pending.size === 0) this.#idle?.();
      };
      const giveUp = (reason: StoreError) => {
        settle();
        reject(reason);
        lookup.abort(reason);
      };
      const deadline = this.#deadlines.add(() => {
        giveUp(new StoreError("timeout", `${this.name}: no answer within ${this.#options.timeout} ms`));
      });
      this.#pending.add(giveUp);
      answer.then(resolve, reject).finally(settle);
    });
  }

  /** @param since start of the look-up; null: the answer was synchronous */
  #accept(answer: MailboxFacts, since: number | null): MailboxFacts {
    const fault = faultOf(answer);
    if (fault !== null) throw new StoreError("invalid-data", `${this.name}: ${fault}`);
    this.#breaker.succeeded();
    this.#options.events?.answered(since === null ? null : performance.now() - since);
    if (this.#isFailing) this.#recovered();
    return answer;
  }

  #fail(error: unknown): StoreError {
    const failure = asStoreError(error, this.name);
    this.#options.events?.failed(failure.code);
    if (failure.code === "unavailable" || failure.code === "timeout") this.#breaker.failed();
    if (failure.code !== "closed") this.#report(failure);
    return failure;
  }

  #report(failure: StoreError): void {
    this.#failures++;
    const stack = failure.code === "internal" && failure.cause instanceof Error ? `: ${failure.cause.stack}` : "";
    const line = `${failure.message} [${failure.code}]${stack}`;
    if (this.#failureLog.write("error", failure.message, line)) this.#isFailing = true;
  }

  /** Logged once per interval, however often the store fails and recovers. */
  #recovered(): void {
    const line = `${this.name}: answers again; failed look-ups: ${this.#failures}`;
    if (!this.#recoveryLog.write("notice", this.name, line)) return;
    this.#failures = 0;
    this.#isFailing = false;
  }
}

function isPromise<T extends object>(answer: T | Promise<T>): answer is Promise<T> {
  return typeof (answer as Promise<T> | null | undefined)?.then === "function";
}

function closed(name: string): StoreError {
  return new StoreError("closed", `${name}: the store is closed`);
}

/**
 * Any other error is a bug in the adapter (`internal`). A StoreError of another copy of this package is recognized by
 * its name and code.
 */
function asStoreError(error: unknown, name: string): StoreError {
  if (error instanceof StoreError) return error;
  if (error instanceof Error && error.name === "StoreError" && storeErrorCodes.includes((error as StoreError).code)) {
    return new StoreError((error as StoreError).code, error.message, { cause: error });
  }
  const message = error instanceof Error ? error.message : String(error);
  return new StoreError("internal", `${name}: ${message}`, { cause: error });
}

/** How an answer violates the contract; null: it is valid. A third party's store may not be type-checked. */
function faultOf(answer: MailboxFacts | undefined | null): string | null {
  if (answer === undefined || answer === null) return "the look-up returned no answer";
  if (answer.exists === false) return null;
  if (answer.exists !== true) return "`exists` is neither true nor false";
  if (answer.rights !== null && typeof answer.rights !== "string") return "`rights` is neither null nor a string";
  if (!Array.isArray(answer.quotas)) return "`quotas` is not an array";
  for (const quota of answer.quotas) {
    if (!isQuota(quota)) return `invalid quota: ${JSON.stringify(quota)}`;
  }
  return null;
}

function isQuota(quota: QuotaUsage | null | undefined): boolean {
  if (quota === null || quota === undefined) return false;
  const { resource, used, limit } = quota;
  return (resource === "STORAGE" || resource === "MESSAGE") && isCount(used) && isCount(limit);
}

function isCount(value: unknown): boolean {
  return Number.isFinite(value) && (value as number) >= 0;
}
