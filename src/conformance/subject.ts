/** A store under test, the requests to it, and the comparison of its answers. */
import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import { GuardedStore } from "../store/guarded.ts";
import { Lookup } from "../store/lookup.ts";
import {
  type Log,
  type MailboxFacts,
  type MailboxId,
  type MailboxStore,
  type StoreContext,
  StoreError,
} from "../store/store.ts";
import { absentAddresses, type ConformanceMailbox, expectedFacts } from "./data.ts";

/** A log for stores that are opened by a test. */
export const silentLog: Log = { error() {}, warning() {}, notice() {}, info() {}, debug() {} };
/** A context for stores that are opened by a test; `smmap_query_timeout` is 5 s. */
export const silentContext: StoreContext = { log: silentLog, lookupTimeout: 5_000 };
/** Milliseconds for a look-up without a fault, and for recovery after one, on a busy machine. */
export const NORMAL_TIMEOUT = 20_000;
/** Multiple of the timeout within which a store must detect that its backend is unavailable. */
const DETECTION_TIMEOUTS = 5;
/** Milliseconds after a deadline at which it counts as exceeded. */
export const GRACE = 5_000;

/** An address without a mailbox. */
export const unknownAddress = absentAddresses[0] as { readonly address: string; readonly id: MailboxId };

/** A store under test, wrapped in GuardedStore as in the daemon, and checks of the pair. */
export class Subject {
  readonly store: MailboxStore;
  readonly guarded: GuardedStore;
  readonly #timeout: number;

  constructor(store: MailboxStore, timeout: number) {
    this.#timeout = timeout;
    this.store = store;
    this.guarded = new GuardedStore(store, { timeout, breaker: { failures: 0, reset: 0 }, log: silentLog });
  }

  readonly expected = (mailbox: ConformanceMailbox): Outcome =>
    comparable(expectedFacts(mailbox, this.store.capabilities));

  /** Facts, or the code of the StoreError. */
  async outcome(id: MailboxId, lookup = new Lookup()): Promise<Outcome> {
    try {
      return comparable(await this.guarded.lookup(id, lookup));
    } catch (error) {
      if (error instanceof StoreError) return error.code;
      throw error;
    }
  }

  /** Asserts that a look-up returns the expected facts or fails because of the backend. */
  async expectFactsOrFailure(mailbox: ConformanceMailbox): Promise<void> {
    allowed(
      [this.expected(mailbox), "unavailable", "timeout"],
      await this.#lookupWithinDeadline(mailbox.id),
      mailbox.address,
    );
  }

  /**
   * Waits until look-ups and pings reject, each within its deadline. Until then a store may still return the correct
   * facts about existing mailboxes, such as from an open file, but no absence.
   */
  async rejects(mailboxes: readonly ConformanceMailbox[], codes: readonly string[]): Promise<void> {
    const deadline = performance.now() + this.#timeout * DETECTION_TIMEOUTS;
    for (;;) {
      const requested = take(5, mailboxes);
      const [absence, pinged, ...outcomes] = await Promise.all([
        this.#lookupWithinDeadline(unknownAddress.id),
        within(this.#timeout + GRACE, this.#ping(), "a ping"),
        ...requested.map(({ id }) => this.#lookupWithinDeadline(id)),
      ]);
      allowed(codes, absence, unknownAddress.address);
      allowed([...codes, "answered"], pinged, "a ping");
      requested.forEach((mailbox, i) => {
        allowed([...codes, this.expected(mailbox)], outcomes[i] as Outcome, mailbox.address);
      });
      if (pinged !== "answered" && outcomes.every((outcome) => typeof outcome === "string")) return;
      assert.ok(performance.now() < deadline, "look-ups still succeed although the backend is unavailable");
      await delay(20);
    }
  }

  /** Waits until look-ups succeed; no wrong facts may be returned until then. */
  async recovered(mailboxes: readonly ConformanceMailbox[]): Promise<void> {
    const mailbox = mailboxes[0] as ConformanceMailbox;
    const deadline = performance.now() + NORMAL_TIMEOUT;
    for (;;) {
      const outcome = await this.#lookupWithinDeadline(mailbox.id);
      if (typeof outcome === "object") {
        assert.deepEqual(outcome, this.expected(mailbox));
        assert.deepEqual(await this.#lookupWithinDeadline(unknownAddress.id), { exists: false });
        return;
      }
      assert.ok(performance.now() < deadline, `look-ups still fail after the backend was restarted: ${outcome}`);
      await delay(20);
    }
  }

  /** "answered", or the code of a StoreError. */
  async #ping(): Promise<string> {
    try {
      await this.guarded.ping(new Lookup());
      return "answered";
    } catch (error) {
      if (error instanceof StoreError) return error.code;
      throw error;
    }
  }

  #lookupWithinDeadline(id: MailboxId): Promise<Outcome> {
    return within(this.#timeout + GRACE, this.outcome(id), "a look-up");
  }
}

/** Facts in a form that is equal for stores with the same data, or the code of a StoreError. */
type Outcome = string | { readonly exists: false } | ComparableFacts;

interface ComparableFacts {
  readonly exists: true;
  /** Only the relevant rights: l and p. */
  readonly rights: string | null;
  /** Sorted, without the root's name, which is only informative. */
  readonly quotas: readonly string[];
}

/** Reduces facts to what the suite compares. */
export function comparable(facts: MailboxFacts): Exclude<Outcome, string> {
  if (!facts.exists) return { exists: false };
  const letters = facts.rights;
  return {
    exists: true,
    rights: letters === null ? null : ["l", "p"].filter((letter) => letters.includes(letter)).join(""),
    quotas: facts.quotas.map(({ resource, used, limit }) => `${resource} ${used} of ${limit}`).sort(),
  };
}

/** Asserts that an outcome is one of several. */
export function allowed(outcomes: readonly Outcome[], outcome: Outcome, address: string): void {
  const wanted = outcomes.map((one) => JSON.stringify(one));
  const got = JSON.stringify(outcome);
  assert.ok(wanted.includes(got), `${address}: got ${got}, expected ${wanted.join(" or ")}`);
}

export function isStoreError(code: string): (error: unknown) => boolean {
  return (error) => error instanceof StoreError && error.code === code;
}

/** Runs `body` on a store and closes it afterwards. */
export async function withStore(
  store: MailboxStore,
  timeout: number,
  body: (subject: Subject) => Promise<void>,
): Promise<void> {
  const subject = new Subject(store, timeout);
  try {
    await body(subject);
  } finally {
    await subject.guarded.close();
  }
}

/** Resolves like the promise; rejects if it takes longer than the limit. @param what subject of the error message */
export async function within<T>(milliseconds: number, promise: Promise<T>, what: string): Promise<T> {
  const stop = new AbortController();
  const late = delay(milliseconds, undefined, { signal: stop.signal }).then(() => {
    throw new Error(`${what} took longer than ${milliseconds} ms`);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    stop.abort();
    late.catch(() => {});
  }
}

/** How a promise settles; never rejects. */
export function settled(promise: Promise<unknown>): Promise<"fulfilled" | "rejected"> {
  return promise.then(
    () => "fulfilled" as const,
    () => "rejected" as const,
  );
}

/** The requested number of mailboxes; the list is repeated as often as necessary. */
export function take(count: number, mailboxes: readonly ConformanceMailbox[]): ConformanceMailbox[] {
  return Array.from({ length: count }, (_, i) => mailboxes[i % mailboxes.length] as ConformanceMailbox);
}
