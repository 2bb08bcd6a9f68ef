/**
 * A connection pool. Each look-up has exclusive use of a connection; look-ups that find no free connection wait in a
 * FIFO queue. Connections are opened on demand and kept.
 *
 * A frontend of a murder blocks a connection while the backend of the mailbox hangs, although other backends respond.
 * Work that runs for longer than `slowAfter` is therefore slow, and so is later work with the same key until one run is
 * fast. For each connection with slow work, additional connections beyond the pool's size are opened for waiting
 * look-ups. While there is slow work, work with a slow key has lower priority, one connection per key, and at most half
 * of all connections.
 */
import type { Connector } from "../../src/store/kit/index.ts";
import { StoreError } from "../../src/store/store.ts";
import { SlowKeys } from "./slow-keys.ts";

export interface PoolOptions<Connection> {
  /** One for each connection of the pool's maximum. */
  readonly connectors: readonly Pick<Connector<unknown, Connection>, "connection" | "get" | "lost" | "close">[];
  /** Maximum number of connections while no work is slow. */
  readonly size: number;
  /** Milliseconds after which work is slow. */
  readonly slowAfter: number;
  /** Whether a connection has ended. */
  isLost(connection: Connection): boolean;
  /** Sends a command that keeps the session alive, so that the server does not close it as idle. */
  probe(connection: Connection): Promise<unknown>;
  /** Milliseconds between probes of idle connections; idle connections beyond the size are closed instead. */
  readonly probeEvery: number;
}

interface Slot<Connection> {
  readonly connector: PoolOptions<Connection>["connectors"][number];
  state: "free" | "opening" | "busy";
  /** Key of the work on it. */
  key: string;
  /** Start of the work, on the clock of performance.now(). */
  since: number;
}

interface Waiter<Connection> {
  readonly key: string;
  take(slot: Slot<Connection>): void;
  reject(error: unknown): void;
}

type Work<Connection, T> = (connection: Connection) => Promise<T>;

/**
 * Maximum length of the queue. A connection serves about a thousand look-ups per second, so the wait is about a second.
 */
const WAITING_MAX = 1_000;
/** Additional connections per connection with slow work; the next look-ups in the queue may be slow as well. */
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
   * Runs `work` with exclusive use of a connection, and once more with another one if the first is lost. Rejects
   * immediately with the signal's reason when it fires; work that has begun continues, because its responses are still
   * outstanding.
   * @param key subject of the work; work with the same key is expected to be equally slow
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

  /** Runs work on an acquired slot and releases it. Rejects with LostConnection if a retry may succeed. */
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
      // After a timeout no time remains for a retry.
      throw isLost && error instanceof StoreError && error.code === "unavailable" ? new LostConnection(error) : error;
    } finally {
      this.#slowKeys.note(slot.key, performance.now() - slot.since >= this.#options.slowAfter);
      slot.state = "free";
      this.#dispatch();
    }
  }

  #acquire(signal: AbortSignal, key: string): Promise<Slot<Connection>> {
    if (this.#isClosed) return Promise.reject(closed());
    if (signal.aborted) return Promise.reject(signal.reason);
    if (this.#waiting.length >= WAITING_MAX) {
      return Promise.reject(new StoreError("unavailable", `imap: ${WAITING_MAX} look-ups are queued, the limit`));
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

  /** Assigns free connections to waiters, and opens connections for the remaining ones. */
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
    this.#scheduleDispatch();
  }

  /** Removes the next waiter that may use a connection from the queue. */
  #nextWaiter(): Waiter<Connection> | undefined {
    const slow = this.#slowSlots();
    // Without slow work in progress the order is FIFO, so that slow keys are retried.
    if (slow === 0) return this.#waiting.shift();
    const isSlow = ({ key }: Waiter<Connection>) => this.#slowKeys.has(key);
    const isRunning = ({ key }: Waiter<Connection>) =>
      this.#slots.some((slot) => slot.state === "busy" && slot.key === key);
    let index = this.#waiting.findIndex((waiter) => !isSlow(waiter));
    if (index < 0 && slow < Math.max(1, this.#slots.length >> 1)) {
      index = this.#waiting.findIndex((waiter) => !isRunning(waiter));
    }
    return index < 0 ? undefined : this.#waiting.splice(index, 1)[0];
  }

  #begin(slot: Slot<Connection>): void {
    slot.state = "busy";
    slot.since = performance.now();
  }

  /** Number of connections with slow work. */
  #slowSlots(): number {
    const slowSince = performance.now() - this.#options.slowAfter;
    let count = 0;
    for (const { state, key, since } of this.#slots) {
      if (state !== "busy") continue;
      if (since <= slowSince) this.#slowKeys.note(key, true);
      if (since <= slowSince || this.#slowKeys.has(key)) count++;
    }
    return count;
  }

  /**
   * While no connection is open, one at a time is opened, so that an unreachable server causes one attempt and one log
   * line.
   */
  #mayOpen(): boolean {
    const opening = this.#slots.filter(({ state }) => state === "opening").length;
    if (opening >= this.#waiting.length || (opening > 0 && !this.#isConnected())) return false;
    return this.#connected() + opening < this.#options.size + OPENED_FOR_SLOW * this.#slowSlots();
  }

  /** Schedules a dispatch for the time when the next work becomes slow, because more connections are allowed then. */
  #scheduleDispatch(): void {
    if (this.#slowTimer !== null) return;
    const { slowAfter } = this.#options;
    const now = performance.now();
    const due = this.#slots
      .filter(({ state, since }) => state === "busy" && now - since < slowAfter)
      .map(({ since }) => since + slowAfter - now);
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
        const isLastAttempt = !this.#isConnected() && !this.#slots.some(({ state }) => state === "opening");
        if (isLastAttempt) for (const waiter of this.#waiting.splice(0)) waiter.reject(error);
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
      // If the probe fails, #occupy discards the connection; no other handling is needed.
      this.#occupy(slot, () => this.#options.probe(connection)).catch(() => {});
    }
  }
}

/** The connection was lost while work ran on it; `cause` is the error of the work. */
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
