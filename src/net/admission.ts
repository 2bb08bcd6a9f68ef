/** Who is served, who waits for that, and who is told to try again later. Whoever is served stays. */
import type { Limits } from "../config/limits.ts";
import type { Rarely } from "../store/kit/throttled-log.ts";
import { NetworkCounts, networkOf } from "./client-address.ts";
import type { Client } from "./connection.ts";
import type { Protocol } from "./listener.ts";
import { Farewells } from "./overload-replies.ts";
import { type SweepClock, ticksOf } from "./timeout-sweep.ts";

/** A client that has connected. */
export interface Visitor {
  readonly client: Client;
  readonly protocol: Protocol;
  /** null: not known. */
  readonly network: string | null;
  /** When it came, on the clock of sweeps. */
  readonly since: number;
}

export interface AdmissionOptions {
  readonly clock: SweepClock;
  readonly log: Rarely;
  /** It is a client's turn. To be told of its end, with `leave`. */
  readonly serve: (visitor: Visitor) => void;
  /** Somebody who waited is gone. */
  readonly onGone: () => void;
}

/** Connections that may wait before there are any limits. */
const WAITING_MAX = 1024;

export class Admission {
  readonly #options: AdmissionOptions;
  /** null: they come later, and everybody waits for them. */
  #limits: Limits | null = null;
  #served = 0;
  readonly #servedOf = new NetworkCounts();
  /** Whoever came first is first. */
  readonly #waiting = new Set<Visitor>();
  readonly #waitingOf = new NetworkCounts();
  readonly #farewells = new Farewells();
  #refused = 0;

  constructor(options: AdmissionOptions) {
    this.#options = options;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  /** Clients so far that were told to try again later. */
  get refused(): number {
    return this.#refused;
  }

  set limits(limits: Limits) {
    this.#limits = limits;
    this.#admitWaiting();
  }

  /** Serves a client, now or when it is its turn. */
  enter(client: Client, protocol: Protocol): void {
    const network = networkOf(client.remoteAddress);
    const visitor = { client, protocol, network, since: this.#options.clock.now };
    if (this.#hasRoom() && !this.#isGreedy(network)) this.#admit(visitor);
    else this.#letWait(visitor);
  }

  /** One that was served is gone. */
  leave({ network }: Visitor): void {
    this.#served--;
    this.#servedOf.remove(network);
    this.#admitWaiting();
  }

  /** Turns those away who have waited too long. */
  expire(): void {
    if (this.#limits === null) return;
    const patience = ticksOf(this.#limits.requestTimeout);
    for (const visitor of this.#waiting) {
      if (this.#options.clock.now - visitor.since <= patience) return;
      this.#call(visitor);
      this.#turnAway(visitor);
    }
  }

  /** Nobody waits any longer. */
  close(): void {
    for (const visitor of this.#waiting) {
      this.#call(visitor);
      visitor.client.destroy();
    }
    this.#farewells.cut();
  }

  #hasRoom(): boolean {
    return this.#limits !== null && this.#served < this.#limits.connectionsMax;
  }

  /** This client has as many connections as one may have. @param counts which connections */
  #isGreedy(network: string | null, counts = this.#servedOf): boolean {
    const { connectionsPerClient: max = 0 } = this.#limits ?? {};
    return max > 0 && network !== null && counts.of(network) >= max;
  }

  #admit(visitor: Visitor): void {
    this.#served++;
    this.#servedOf.add(visitor.network);
    this.#options.serve(visitor);
  }

  #admitWaiting(): void {
    for (const visitor of this.#waiting) {
      if (!this.#hasRoom()) return;
      if (this.#isGreedy(visitor.network)) continue;
      this.#call(visitor);
      this.#admit(visitor);
    }
  }

  #letWait(visitor: Visitor): void {
    this.#tellWhy(visitor);
    const { client, network } = visitor;
    const max = this.#limits?.connectionsWaiting ?? WAITING_MAX;
    if (this.#waiting.size >= max || this.#isGreedy(network, this.#waitingOf)) {
      this.#turnAway(visitor);
      return;
    }
    this.#waiting.add(visitor);
    this.#waitingOf.add(network);
    client.on("error", () => {});
    client.once("end", () => {
      // It has asked nothing, and nobody else would hear of its end.
      if (this.#waiting.has(visitor)) client.destroy();
    });
    client.once("close", () => {
      if (!this.#waiting.has(visitor)) return;
      this.#call(visitor);
      this.#options.onGone();
    });
  }

  #tellWhy({ network }: Visitor): void {
    if (this.#limits === null) return;
    const { connectionsMax, connectionsPerClient } = this.#limits;
    const { log } = this.#options;
    if (!this.#hasRoom()) log.warn("smmap_connections_max", `all ${connectionsMax} connections are in use`);
    else log.warn("smmap_connections_per_client", `${network} has ${connectionsPerClient} connections, the rest waits`);
  }

  #turnAway({ client, protocol }: Visitor): void {
    this.#refused++;
    this.#farewells.say(client, protocol);
  }

  /** It waits no longer. */
  #call(visitor: Visitor): void {
    this.#waiting.delete(visitor);
    this.#waitingOf.remove(visitor.network);
  }
}
