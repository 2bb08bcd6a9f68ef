/**
 * Admission control: the connection limits, in total (`smmap_connections_max`) and per client
 * (`smmap_connections_per_client`). A client is served, waits for a free connection, or is rejected. A client that is
 * served stays until it closes the connection.
 */
import type { Limits } from "../config/limits.ts";
import type { ThrottledLog } from "../store/kit/throttled-log.ts";
import { NetworkCounts, networkOf } from "./client-address.ts";
import type { Client } from "./connection.ts";
import type { Protocol } from "./listener.ts";
import { OverloadReplies } from "./overload-replies.ts";
import { type SweepClock, sweepsIn } from "./timeout-sweep.ts";

/** A client that has connected, and either is served or waits. */
export interface PendingClient {
  readonly client: Client;
  readonly protocol: Protocol;
  /** null: unknown. */
  readonly network: string | null;
  /** When it connected, on the clock of sweeps. */
  readonly since: number;
}

export interface AdmissionOptions {
  readonly clock: SweepClock;
  readonly log: ThrottledLog;
  /** Serves a client; its end is to be reported with `release`. */
  readonly serve: (pending: PendingClient) => void;
  /** A waiting client has closed its connection. */
  readonly onClose: () => void;
}

/** Clients that may wait before limits are set. */
const MAX_WAITING = 1024;

export class Admission {
  readonly #options: AdmissionOptions;
  /** null: not set yet; all clients wait. */
  #limits: Limits | null = null;
  #served = 0;
  readonly #servedOf = new NetworkCounts();
  /** First in, first out. */
  readonly #waiting = new Set<PendingClient>();
  readonly #waitingOf = new NetworkCounts();
  readonly #overloadReplies = new OverloadReplies();
  #refused = 0;

  constructor(options: AdmissionOptions) {
    this.#options = options;
  }

  /** Clients that wait for a free connection. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** Clients rejected so far. */
  get refused(): number {
    return this.#refused;
  }

  set limits(limits: Limits) {
    this.#limits = limits;
    this.#serveWaiting();
  }

  /** Serves a client now, queues it, or rejects it. */
  admit(client: Client, protocol: Protocol): void {
    const network = networkOf(client.remoteAddress);
    const pending = { client, protocol, network, since: this.#options.clock.now };
    if (this.#hasRoom() && !this.#exceedsPerClientLimit(network)) this.#serve(pending);
    else this.#enqueue(pending);
  }

  /** Frees the connection of a client that was served. */
  release({ network }: PendingClient): void {
    this.#served--;
    this.#servedOf.remove(network);
    this.#serveWaiting();
  }

  /** Rejects clients that have waited longer than a request may take. */
  rejectOverdue(): void {
    if (this.#limits === null) return;
    const max = sweepsIn(this.#limits.requestTimeout);
    for (const pending of this.#waiting) {
      if (this.#options.clock.now - pending.since <= max) return;
      this.#dequeue(pending);
      this.#reject(pending);
    }
  }

  /** Closes the connections of all clients that wait or have been rejected. */
  close(): void {
    for (const pending of this.#waiting) {
      this.#dequeue(pending);
      pending.client.destroy();
    }
    this.#overloadReplies.closeAll();
  }

  #hasRoom(): boolean {
    return this.#limits !== null && this.#served < this.#limits.connectionsMax;
  }

  /** Whether a network has as many connections as one client may have. @param counts connections served, or waiting */
  #exceedsPerClientLimit(network: string | null, counts = this.#servedOf): boolean {
    const { connectionsPerClient: max = 0 } = this.#limits ?? {};
    return max > 0 && network !== null && counts.of(network) >= max;
  }

  #serve(pending: PendingClient): void {
    this.#served++;
    this.#servedOf.add(pending.network);
    this.#options.serve(pending);
  }

  #serveWaiting(): void {
    for (const pending of this.#waiting) {
      if (!this.#hasRoom()) return;
      if (this.#exceedsPerClientLimit(pending.network)) continue;
      this.#dequeue(pending);
      this.#serve(pending);
    }
  }

  #enqueue(pending: PendingClient): void {
    this.#logReason(pending);
    const { client, network } = pending;
    const max = this.#limits?.connectionsWaiting ?? MAX_WAITING;
    if (this.#waiting.size >= max || this.#exceedsPerClientLimit(network, this.#waitingOf)) {
      this.#reject(pending);
      return;
    }
    this.#waiting.add(pending);
    this.#waitingOf.add(network);
    client.on("error", () => {});
    client.once("end", () => {
      // The client has closed its side without a request, and no Connection listens yet.
      if (this.#waiting.has(pending)) client.destroy();
    });
    client.once("close", () => {
      if (!this.#waiting.has(pending)) return;
      this.#dequeue(pending);
      this.#options.onClose();
    });
  }

  #logReason({ network }: PendingClient): void {
    if (this.#limits === null) return;
    const { connectionsMax, connectionsPerClient: max } = this.#limits;
    const { log } = this.#options;
    if (!this.#hasRoom()) log.warn("smmap_connections_max", `all ${connectionsMax} connections are in use`);
    else log.warn("smmap_connections_per_client", `${network} has ${max} connections, its further connections wait`);
  }

  #reject({ client, protocol }: PendingClient): void {
    this.#refused++;
    this.#overloadReplies.send(client, protocol);
  }

  #dequeue(pending: PendingClient): void {
    this.#waiting.delete(pending);
    this.#waitingOf.remove(pending.network);
  }
}
