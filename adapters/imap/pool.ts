/**
 * A few connections shared by many look-ups. Each has a connection to itself while it works; those that find none free
 * wait in the order in which they came. Connections are opened when they are wanted and kept.
 */
import type { Connector } from "../../src/store/kit/connector.ts";
import { StoreError } from "../../src/store/store.ts";

export interface PoolOptions<Connection> {
  /** One for each connection that there may be. */
  readonly connectors: readonly Pick<Connector<unknown, Connection>, "connection" | "get" | "lost" | "close">[];
  /** Whether a connection is gone for good. */
  isLost(connection: Connection): boolean;
  /** Asks the server for a sign of life, so that it does not log us out. */
  probe(connection: Connection): Promise<unknown>;
  /** Milliseconds between probes of a connection that is not in use. */
  readonly probeEvery: number;
}

interface Slot<Connection> {
  readonly connector: PoolOptions<Connection>["connectors"][number];
  state: "free" | "opening" | "busy";
}

interface Waiter<Connection> {
  take(slot: Slot<Connection>): void;
  reject(error: unknown): void;
}

type Work<Connection, T> = (connection: Connection) => Promise<T>;

/** Look-ups that may wait. A connection serves a thousand or more a second, so these would wait for about a second. */
const WAITING_MAX = 1_000;

export class ConnectionPool<Connection> {
  readonly #options: PoolOptions<Connection>;
  readonly #slots: readonly Slot<Connection>[];
  readonly #waiting: Waiter<Connection>[] = [];
  readonly #probing: NodeJS.Timeout;
  #isClosed = false;

  constructor(options: PoolOptions<Connection>) {
    this.#options = options;
    this.#slots = options.connectors.map((connector) => ({ connector, state: "free" }));
    this.#probing = setInterval(() => this.#probeFree(), options.probeEvery);
    this.#probing.unref();
  }

  /**
   * Lets `work` have a connection to itself, and once more another one if the first is lost on the way. Rejects at once
   * with the signal's reason when it fires; work that has begun goes on, because its answers are still to come.
   */
  use<T>(work: Work<Connection, T>, signal: AbortSignal): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const giveUp = () => reject(signal.reason);
      signal.addEventListener("abort", giveUp, { once: true });
      this.#attempt(work, signal)
        .catch((error: unknown) => {
          if (!(error instanceof LostConnection) || signal.aborted) throw error;
          return this.#attempt(work, signal);
        })
        .then(resolve, (error: unknown) => reject(error instanceof LostConnection ? error.cause : error))
        .finally(() => signal.removeEventListener("abort", giveUp));
    });
  }

  close(): void {
    this.#isClosed = true;
    clearInterval(this.#probing);
    for (const waiter of this.#waiting.splice(0)) waiter.reject(closed());
    for (const { connector } of this.#slots) connector.close();
  }

  async #attempt<T>(work: Work<Connection, T>, signal: AbortSignal): Promise<T> {
    return this.#occupy(await this.#acquire(signal), work);
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
      slot.state = "free";
      this.#dispatch();
    }
  }

  #acquire(signal: AbortSignal): Promise<Slot<Connection>> {
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
      const waiter = this.#waiting.shift();
      if (waiter === undefined) return;
      slot.state = "busy";
      waiter.take(slot);
    }
    for (const slot of this.#slots) {
      if (slot.state === "free" && slot.connector.connection === null && this.#mayOpen()) this.#open(slot);
    }
  }

  /** While there is no connection, one at a time is tried: a server that is away is asked, and complained about, once. */
  #mayOpen(): boolean {
    const opening = this.#slots.filter(({ state }) => state === "opening").length;
    return opening < this.#waiting.length && (opening === 0 || this.#isConnected());
  }

  #isConnected(): boolean {
    return this.#slots.some(({ connector }) => connector.connection !== null);
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
    for (const slot of this.#slots) {
      if (slot.state !== "free" || slot.connector.connection === null) continue;
      slot.state = "busy";
      // Should it fail, the connection is forgotten, which is all there is to do.
      this.#occupy(slot, (connection) => this.#options.probe(connection)).catch(() => {});
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
