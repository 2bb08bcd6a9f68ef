/** A store under test, what is asked of it, and what its answers are compared by. */
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
/** Milliseconds for a look-up where nothing is wrong, and for work to begin again, on however busy a machine. */
export const PATIENCE = 20_000;
/** Timeouts after which a store must have noticed that its backend is gone. */
const NOTICE = 5;
/** Milliseconds beyond a deadline after which it counts as missed. */
export const GRACE = 5_000;

export const nobody = absentAddresses[0] as { readonly address: string; readonly id: MailboxId };

/** A store under test with the daemon's guard around it, and what is asked of the pair. */
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

  /** Facts, or the code of the StoreError in their place. */
  async outcome(id: MailboxId, lookup = new Lookup()): Promise<Outcome> {
    try {
      return comparable(await this.guarded.lookup(id, lookup));
    } catch (error) {
      if (error instanceof StoreError) return error.code;
      throw error;
    }
  }

  /** The facts, or an error that a backend may be blamed for. */
  async truthful(mailbox: ConformanceMailbox): Promise<void> {
    allowed([this.expected(mailbox), "unavailable", "timeout"], await this.#punctual(mailbox.id), mailbox.address);
  }

  /**
   * Look-ups and pings alike come to reject, each in time. For a moment a store may still tell the truth about mailboxes
   * that are there, as from a file that it holds open; never is anything absent.
   */
  async rejects(held: readonly ConformanceMailbox[], codes: readonly string[]): Promise<void> {
    const givenUp = performance.now() + this.#timeout * NOTICE;
    for (;;) {
      const asked = take(5, held);
      const [absence, pinged, ...outcomes] = await Promise.all([
        this.#punctual(nobody.id),
        within(this.#timeout + GRACE, this.#ping(), "a ping"),
        ...asked.map(({ id }) => this.#punctual(id)),
      ]);
      allowed(codes, absence, nobody.address);
      allowed([...codes, "answered"], pinged, "a ping");
      asked.forEach((mailbox, i) => {
        allowed([...codes, this.expected(mailbox)], outcomes[i] as Outcome, mailbox.address);
      });
      if (pinged !== "answered" && outcomes.every((outcome) => typeof outcome === "string")) return;
      assert.ok(performance.now() < givenUp, "look-ups are answered, although the backend cannot answer them");
      await delay(20);
    }
  }

  /** Waits until look-ups work; on the way there nothing wrong is said. */
  async recovered(held: readonly ConformanceMailbox[]): Promise<void> {
    const mailbox = held[0] as ConformanceMailbox;
    const givenUp = performance.now() + PATIENCE;
    for (;;) {
      const outcome = await this.#punctual(mailbox.id);
      if (typeof outcome === "object") {
        assert.deepEqual(outcome, this.expected(mailbox));
        assert.deepEqual(await this.#punctual(nobody.id), { exists: false });
        return;
      }
      assert.ok(performance.now() < givenUp, `look-ups do not work again: ${outcome}`);
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

  #punctual(id: MailboxId): Promise<Outcome> {
    return within(this.#timeout + GRACE, this.outcome(id), "a look-up");
  }
}

/** Facts in a form that two stores with the same knowledge share, or the code of a StoreError. */
type Outcome = string | { readonly exists: false } | ComparableFacts;

interface ComparableFacts {
  readonly exists: true;
  /** Only the letters that decide: l and p. */
  readonly rights: string | null;
  /** Sorted, without the root's name, which is for people. */
  readonly quotas: readonly string[];
}

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
  assert.ok(wanted.includes(got), `${address}: ${got} where only ${wanted.join(" or ")} may be said`);
}

export function isStoreError(code: string): (error: unknown) => boolean {
  return (error) => error instanceof StoreError && error.code === code;
}

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

/** Rejects where something takes longer than it ever may. */
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

export function settled(promise: Promise<unknown>): Promise<"fulfilled" | "rejected"> {
  return promise.then(
    () => "fulfilled" as const,
    () => "rejected" as const,
  );
}

/** As many mailboxes as wanted, from the whole list, over and over. */
export function take(count: number, mailboxes: readonly ConformanceMailbox[]): ConformanceMailbox[] {
  return Array.from({ length: count }, (_, i) => mailboxes[i % mailboxes.length] as ConformanceMailbox);
}
