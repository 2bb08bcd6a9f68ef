/**
 * A few connections shared by many look-ups. Each has a connection to itself while it works; those that find none free
 * wait in the order in which they came. Connections are opened when they are wanted and kept.
 *
 * A frontend of a murder keeps a connection waiting for as long as one of its backends hangs, while all others are well.
 * So work that has run for longer than `patience` counts as slow, and so does later work with its key until one run was
 * fast again. For each connection with slow work, others are opened beyond the pool's size for those that wait. Work with
 * a slow key comes after other work then, has one connection for each key, and half of all that there may be at most.
 */
import type { Connector } from "../../src/store/kit/index.ts";
import { StoreError } from "../../src/store/store.ts";
import { SlowKeys } from "./slow-keys.ts";

export interface PoolOptions<Connection> {
  /** One for each connection that there may be. */
  readonly connectors: readonly Pick<Connector<unknown, Connection>, "connection" | "get" | "lost" | "close">[];
  /** Connections while no work is slow. */
  readonly size: number;
  /** Milliseconds from which on work is slow. */
  readonly patience: number;
  /** Whether a connection is gone for good. */
  isLost(connection: Connection): boolean;
  /** Asks the server for a sign of life, so that it does not log us out. */
  probe(connection: Connection): Promise<unknown>;
  /** Milliseconds between probes of a connection that is not in use; connections beyond the size are closed then. */
  readonly probeEvery: number;
}

interface Slot<Connection> {
  readonly connector: PoolOptions<Connection>["connectors"][number];
  state: "free" | "opening" | "busy";
  /** Of the work on it. */
  key: string;
  /** When the work began, on the clock of performance.now(). */
  since: number;
}

interface Waiter<Connection> {
  readonly key: string;
  take(slot: Slot<Connection>): void;
  reject(error: unknown): void;
}

type Work<Connection, T> = (connection: Connection) => Promise<T>;

/** Look-ups that may wait. A connection serves a thousand or more a second, so these would wait for about a second. */
const WAITING_MAX = 1_000;
/** Connections that may be opened for each with slow work; the next in the queue may well be slow, too. */
const OPENED_FOR_SLOW = 4;

export class ConnectionPool<Connection> {
  readonly #options: PoolOptions<Connection>;
  readonly #slots: readonly Slot<Connection>[];
  readonly #waiting: Waiter<Connection>[] = [];
  readonly #probing: NodeJS.Timeout;
  readonly #slowKeys = new SlowKeys();
  /** Fires when the next work becomes slow while others wait. */
  #slowTimer: NodeJS.Timeout | null = null;
  #isClosed = false;

  constructor(options: PoolOptions<Connection>) {
    this.#options = options;
    this.#slots = options.connectors.map((connector) => ({ connector, state: "free", key: "", since: 0 }));
    this.#probing = setInterval(() => this.#probeFree(), options.probeEvery);
    this.#probing.unref();
  }

  /**
   * Lets `work` have a connection to itself, and once more another one if the first is lost on the way. Rejects at once
   * with the signal's reason when it fires; work that has begun goes on, because its answers are still to come.
   * @param key what the work is about: work with the same key is likely to be as slow
   */
  use<T>(work: Work<Connection, T>, signal: AbortSignal, key = ""): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const giveUp = () => reject(signal.reason);
      signal.addEventListener("abort", giveUp, { once: true });
      this.#attempt(work, signal, key)
        .catch((error: unknown) => {
          if (!(error instanceof LostConnection) || signal.aborted) throw error;
          return this.#attempt(work, signal, key);
        })
        .then(resolve, (error: unknown) => reject(error instanceof LostConnection ? error.cause : error))
        .finally(() => signal.removeEventListener("abort", giveUp));
    });
  }

  close(): void {
    this.#isClosed = true;
    clearInterval(this.#probing);
    if (this.#slowTimer !== null) clearTimeout(this.#slowTimer);
    for (const waiter of this.#waiting.splice(0)) waiter.reject(closed());
    for (const { connector } of this.#slots) connector.close();
  }

  async #attempt<T>(work: Work<Connection, T>, signal: AbortSignal, key: string): Promise<T> {
    return this.#occupy(await this.#acquire(signal, key), work);
  }

  /** Runs work on a slot that is taken, and frees it. Rejects with LostConnection where another try may help. */
  async #occupy<T>(slot: Slot<Connection>, work: Work<Connection, T>): Promise<T> {
    const { connector } = slot;
    const connection = connector.connection;
    try {
      if (connection === null) throw new StoreError("unavailable", "imap: the connection was lost");
      return await work(connection);
    } catch (error) {
      const isLost = connection === null || this.#options.isLost(connection);
      if (isLost && connection !== null) connector.lost(connection);
      if (this.#isClosed) throw closed();
      // After a timeout there is no time left for another try.
      throw isLost && error instanceof StoreError && error.code === "unavailable" ? new LostConnection(error) : error;
    } finally {
      this.#slowKeys.note(slot.key, performance.now() - slot.since >= this.#options.patience);
      slot.state = "free";
      this.#dispatch();
    }
  }

  #acquire(signal: AbortSignal, key: string): Promise<Slot<Connection>> {
    if (this.#isClosed) return Promise.reject(closed());
    if (signal.aborted) return Promise.reject(signal.reason);
    if (this.#waiting.length >= WAITING_MAX) {
      return Promise.reject(new StoreError("unavailable", `imap: ${WAITING_MAX} look-ups are waiting already`));
    }
    return new Promise((resolve, reject) => {
      const leave = () => {
        this.#waiting.splice(this.#waiting.indexOf(waiter), 1);
        reject(signal.reason);
      };
      const waiter: Waiter<Connection> = {
        key,
        take: (slot) => {
          signal.removeEventListener("abort", leave);
          resolve(slot);
        },
        reject: (error) => {
          signal.removeEventListener("abort", leave);
          reject(error);
        },
      };
      signal.addEventListener("abort", leave, { once: true });
      this.#waiting.push(waiter);
      this.#dispatch();
    });
  }

  /** Gives free connections to those who wait, and opens more for the rest. */
  #dispatch(): void {
    for (const slot of this.#slots) {
      if (slot.state !== "free" || slot.connector.connection === null) continue;
      const waiter = this.#nextWaiter();
      if (waiter === undefined) break;
      slot.key = waiter.key;
      this.#begin(slot);
      waiter.take(slot);
    }
    if (this.#waiting.length === 0 || this.#isClosed) return;
    for (const slot of this.#slots) {
      if (slot.state !== "free" || slot.connector.connection !== null) continue;
      if (!this.#mayOpen()) break;
      this.#open(slot);
    }
    this.#awaitSlowness();
  }

  /** Takes the next waiter that may have a connection out of the queue. */
  #nextWaiter(): Waiter<Connection> | undefined {
    const slow = this.#slowSlots();
    // Without slow work under way the order of arrival counts, so that slow keys are tried again.
    if (slow === 0) return this.#waiting.shift();
    const isSlow = ({ key }: Waiter<Connection>) => this.#slowKeys.has(key);
    const isTried = ({ key }: Waiter<Connection>) =>
      this.#slots.some((slot) => slot.state === "busy" && slot.key === key);
    let index = this.#waiting.findIndex((waiter) => !isSlow(waiter));
    if (index < 0 && slow < Math.max(1, this.#slots.length >> 1)) {
      index = this.#waiting.findIndex((waiter) => !isTried(waiter));
    }
    return index < 0 ? undefined : this.#waiting.splice(index, 1)[0];
  }

  #begin(slot: Slot<Connection>): void {
    slot.state = "busy";
    slot.since = performance.now();
  }

  /** Connections with slow work on them. */
  #slowSlots(): number {
    const slowSince = performance.now() - this.#options.patience;
    let count = 0;
    for (const { state, key, since } of this.#slots) {
      if (state !== "busy") continue;
      if (since <= slowSince) this.#slowKeys.note(key, true);
      if (since <= slowSince || this.#slowKeys.has(key)) count++;
    }
    return count;
  }

  /** While there is no connection, one at a time is tried: a server that is away is asked, and complained about, once. */
  #mayOpen(): boolean {
    const opening = this.#slots.filter(({ state }) => state === "opening").length;
    if (opening >= this.#waiting.length || (opening > 0 && !this.#isConnected())) return false;
    return this.#connected() + opening < this.#options.size + OPENED_FOR_SLOW * this.#slowSlots();
  }

  /** Looks again when the next work becomes slow, since others may have another connection then. */
  #awaitSlowness(): void {
    if (this.#slowTimer !== null) return;
    const { patience } = this.#options;
    const now = performance.now();
    const due = this.#slots
      .filter(({ state, since }) => state === "busy" && now - since < patience)
      .map(({ since }) => since + patience - now);
    if (due.length === 0) return;
    this.#slowTimer = setTimeout(
      () => {
        this.#slowTimer = null;
        this.#dispatch();
      },
      Math.ceil(Math.min(...due)),
    );
    this.#slowTimer.unref();
  }

  #isConnected(): boolean {
    return this.#connected() > 0;
  }

  #connected(): number {
    return this.#slots.filter(({ connector }) => connector.connection !== null).length;
  }

  #open(slot: Slot<Connection>): void {
    slot.state = "opening";
    slot.connector.get().then(
      () => {
        slot.state = "free";
        this.#dispatch();
      },
      (error: unknown) => {
        slot.state = "free";
        const isHopeless = !this.#isConnected() && !this.#slots.some(({ state }) => state === "opening");
        if (isHopeless) for (const waiter of this.#waiting.splice(0)) waiter.reject(error);
      },
    );
  }

  #probeFree(): void {
    for (const slot of this.#slots.toReversed()) {
      const { connection } = slot.connector;
      if (slot.state !== "free" || connection === null) continue;
      if (this.#connected() > this.#options.size) {
        slot.connector.lost(connection);
        continue;
      }
      slot.key = "";
      this.#begin(slot);
      // Should it fail, the connection is forgotten, which is all there is to do.
      this.#occupy(slot, () => this.#options.probe(connection)).catch(() => {});
    }
  }
}

/** The connection went away under the work; its cause is what the work said. */
class LostConnection extends Error {
  override readonly cause: StoreError;

  constructor(cause: StoreError) {
    super(cause.message);
    this.cause = cause;
  }
}

function closed(): StoreError {
  return new StoreError("closed", "imap: the store is closed");
}
