/** The state of the process: counters for monitoring, a status for people. */
import type { RecipientParser } from "../engine/recipient.ts";
import type { Report, SlowReport, Status, StoreReport } from "../metrics/report.ts";
import type { Tally } from "../metrics/tally.ts";
import { version } from "../metrics/version.ts";
import type { Server } from "../net/server.ts";
import type { AcceptCache } from "../requests/accept-cache.ts";
import type { CacheCounts } from "../store/cache/cached-store.ts";
import { Lookup } from "../store/lookup.ts";
import type { Leaf, StoreStack } from "../store/stack.ts";
import { StoreError } from "../store/store.ts";

/** The part of a service that is reported. */
export interface ReportedService {
  readonly settings: { readonly store: { readonly reason: string } };
  readonly stack: Pick<StoreStack, "leaves">;
  readonly recipients: Pick<RecipientParser, "parse">;
  readonly socketmap: { readonly acceptCache: Pick<AcceptCache, "counts" | "clear"> };
}

/** The process that is reported. */
export interface ReporterHost {
  readonly pid: number;
  /** Version of Node.js. */
  readonly node: string;
  /** Resident memory in octets; null: not available. */
  memory(): number | null;
  /** CPU time in seconds. */
  cpu(): number;
}

/** The other processes on the same sockets. */
export interface OtherProcesses {
  reports(): Promise<readonly Report[]>;
}

export interface ReporterOptions {
  readonly tally: Tally;
  readonly server: Server;
  /** The service in force; null: it is not open yet. */
  readonly active: { readonly current: ReportedService | null };
  /** null: this process starts no others. */
  readonly supervisor: OtherProcesses | null;
  /** Name of the service. */
  readonly name: string;
  readonly host: ReporterHost;
}

/** Milliseconds for which the result of a ping is reused. */
const PING_AGE = 1_000;

/** The result of the last ping. */
interface Health {
  readonly service: ReportedService;
  /** On the clock of performance.now(). */
  readonly at: number;
  /** null: every store answers. */
  readonly problem: Promise<string | null>;
}

export class StatusReporter {
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
      stores: this.#storeReports(),
    };
  }

  /** The reports of this process and of its workers. */
  async reports(): Promise<readonly Report[]> {
    return [this.report(), ...((await this.#options.supervisor?.reports()) ?? [])];
  }

  async status(): Promise<Status> {
    const problem = await this.storeProblem();
    const recentProblems = this.#options.tally.recentProblems.list();
    return { ...this.report(), problem, slowest: this.#slowest(), recentProblems };
  }

  /** Why a store does not answer now; null: all do. Takes no longer than the time-out of a look-up. */
  storeProblem(): Promise<string | null> {
    const service = this.#service;
    if (service === null) return Promise.resolve("not open yet");
    const now = performance.now();
    if (this.#health?.service !== service || now - this.#health.at >= PING_AGE) {
      this.#health = { service, at: now, problem: problemOf(service) };
    }
    return this.#health.problem;
  }

  /** Whether mail servers can be answered: the process listens, and every store answers. */
  async isReady(): Promise<boolean> {
    return (await this.storeProblem()) === null && this.#options.server.addresses.length > 0;
  }

  /**
   * Removes mailboxes from the caches. The cache of accepted requests is cleared as a whole, since it fills again quickly.
   * @param addresses of mailboxes, in the form of a mail server's requests; none: all
   * @returns false: nothing is cached
   */
  purge(addresses: readonly string[]): boolean {
    if (this.#service === null) return false;
    const { stack, recipients, socketmap } = this.#service;
    const caches = stack.leaves.flatMap(({ cache }) => cache ?? []);
    socketmap.acceptCache.clear();
    if (caches.length === 0) return socketmap.acceptCache.counts !== null;
    const parsed = addresses.map((address) => recipients.parse(Buffer.from(address).toString("latin1")));
    for (const cache of caches) {
      if (addresses.length === 0) cache.purge();
      for (const mailbox of parsed) if (mailbox.kind !== "none") cache.purge(mailbox);
    }
    return true;
  }

  get #service(): ReportedService | null {
    return this.#options.active.current;
  }

  #storeReports(): readonly StoreReport[] {
    if (this.#service === null) return [];
    const { tally } = this.#options;
    const { stack, settings } = this.#service;
    return stack.leaves.map(({ name, guard, cache }) => {
      const { times, errors, shortCircuits } = tally.store(name);
      return {
        name,
        reason: settings.store.reason,
        isBreakerOpen: guard.isBreakerOpen,
        times,
        errors,
        shortCircuited: shortCircuits,
        cache: cache?.counts ?? this.#acceptCacheCounts(),
      };
    });
  }

  /** Accepted requests are cached in place of answers where the store has a data version, and is the only one. */
  #acceptCacheCounts(): CacheCounts | null {
    const counts = this.#service?.socketmap.acceptCache.counts ?? null;
    return counts === null ? null : { ...counts, coalesced: 0, stale: 0 };
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

/** null: every store answers. */
async function problemOf({ stack }: ReportedService): Promise<string | null> {
  const problems = await Promise.all(stack.leaves.map(problemOfLeaf));
  const found = problems.filter((problem) => problem !== null);
  return found.length === 0 ? null : found.join("; ");
}

async function problemOfLeaf({ guard }: Leaf): Promise<string | null> {
  try {
    await guard.ping(new Lookup());
    return null;
  } catch (error) {
    if (error instanceof StoreError) return `${error.message} [${error.code}]`;
    return error instanceof Error ? error.message : String(error);
  }
}
