/** What the process tells of itself to whoever asks: numbers for a monitor, a status for people. */
import type { Report, SlowReport, Status, StoreReport } from "../observe/report.ts";
import type { Tally } from "../observe/tally.ts";
import { version } from "../observe/version.ts";
import type { CacheCounts } from "../store/cached.ts";
import { Lookup } from "../store/lookup.ts";
import { StoreError } from "../store/store.ts";
import type { Server } from "./server.ts";
import type { Service } from "./service.ts";

/** What must be known of the process. */
export interface ReporterHost {
  readonly pid: number;
  /** Version of Node.js. */
  readonly node: string;
  /** Octets in memory now; null: the system does not tell. */
  memory(): number | null;
  /** Seconds of a processor so far. */
  cpu(): number;
}

/** Processes that serve beside this one. */
export interface OtherProcesses {
  reports(): Promise<readonly Report[]>;
}

export interface ReporterOptions {
  readonly tally: Tally;
  readonly server: Server;
  /** Name of the service. */
  readonly name: string;
  readonly host: ReporterHost;
}

/** Milliseconds in which the store is asked only once how it is, however many want to know. */
const PING_AGE = 1_000;

/** How the store was when it was asked last. */
interface Health {
  readonly service: Service;
  /** On the clock of performance.now(). */
  readonly at: number;
  /** null: it answers. */
  readonly problem: Promise<string | null>;
}

export class Reporter {
  /** The present one; null: the daemon is just starting. */
  service: Service | null = null;
  /** null: this is the only process. */
  others: OtherProcesses | null = null;
  readonly #options: ReporterOptions;
  #health: Health | null = null;

  constructor(options: ReporterOptions) {
    this.#options = options;
  }

  report(): Report {
    const { tally, server, name, host } = this.#options;
    const now = performance.now();
    return {
      version,
      node: host.node,
      service: name,
      pid: host.pid,
      slot: 0,
      uptime: now / 1000,
      memory: host.memory(),
      cpu: host.cpu(),
      addresses: server.addresses,
      requests: {
        inFlight: tally.inFlight,
        perSecond: tally.requestRate.perSecond(now),
        failuresPerSecond: tally.failureRate.perSecond(now),
        times: tally.requestTimes,
        replies: tally.replies.list(),
      },
      connections: server.connectionCounts,
      reloads: { ...tally.reloads, lastAt: tally.lastReloadAt },
      store: this.#storeReport(),
      cache: this.#cacheCounts(),
    };
  }

  /** Of this process and all others. */
  async reports(): Promise<readonly Report[]> {
    return [this.report(), ...((await this.others?.reports()) ?? [])];
  }

  async status(): Promise<Status> {
    const problem = await this.storeProblem();
    const complaints = this.#options.tally.complaints.list();
    return { ...this.report(), problem, slowest: this.#slowest(), complaints };
  }

  /** Why the store does not answer now; null: it does. Takes no longer than a look-up may. */
  storeProblem(): Promise<string | null> {
    const { service } = this;
    if (service === null) return Promise.resolve("not open yet");
    const now = performance.now();
    if (this.#health?.service !== service || now - this.#health.at >= PING_AGE) {
      this.#health = { service, at: now, problem: problemOf(service) };
    }
    return this.#health.problem;
  }

  /** Whether it should be asked: it listens, and its store answers. */
  async isReady(): Promise<boolean> {
    return (await this.storeProblem()) === null && this.#options.server.addresses.length > 0;
  }

  /**
   * Empties the cache; the verdicts that are remembered go all at once, since they cost next to nothing to get again.
   * @param addresses of mailboxes, as a mail server would ask for them; none: all
   * @returns false: there is no cache
   */
  purge(addresses: readonly string[]): boolean {
    if (this.service === null) return false;
    const { cache, recipients, responder } = this.service;
    responder.memory.clear();
    if (cache === null) return responder.memory.counts !== null;
    if (addresses.length === 0) cache.purge();
    for (const address of addresses) {
      const mailbox = recipients.parse(Buffer.from(address).toString("latin1"));
      if (mailbox.kind !== "none") cache.purge(mailbox);
    }
    return true;
  }

  #cacheCounts(): CacheCounts | null {
    if (this.service === null) return null;
    const { cache, responder } = this.service;
    const remembered = responder.memory.counts;
    return cache?.counts ?? (remembered === null ? null : { ...remembered, joined: 0, stale: 0 });
  }

  #storeReport(): StoreReport | null {
    if (this.service === null) return null;
    const { tally } = this.#options;
    const { guarded, settings } = this.service;
    return {
      name: guarded.name,
      reason: settings.store.reason,
      isResting: guarded.isResting,
      times: tally.storeTimes,
      errors: tally.storeErrors,
      spared: tally.sparedLookups,
    };
  }

  #slowest(): readonly SlowReport[] {
    const now = performance.now();
    return this.#options.tally.slowest.list(now).map(({ key, map, reason, milliseconds, at }) => ({
      address: Buffer.from(key, "latin1").toString(),
      map,
      reason,
      milliseconds,
      at: Date.now() - (now - at),
    }));
  }
}

async function problemOf({ guarded }: Service): Promise<string | null> {
  try {
    await guarded.ping(new Lookup());
    return null;
  } catch (error) {
    if (error instanceof StoreError) return `${error.message} [${error.code}]`;
    return error instanceof Error ? error.message : String(error);
  }
}
