import { setMaxListeners } from "node:events";
import { setImmediate as nextTurn } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { ConnectionPool } from "../../../adapters/imap/pool.ts";
import { StoreError } from "../../../src/store/store.ts";

interface Line {
  readonly number: number;
  isLost: boolean;
}

const never = new AbortController().signal;
setMaxListeners(0, never);
const probes: number[] = [];
let pools: ConnectionPool<Line>[] = [];

/** A stand-in for Connector whose connections open when the test says so. */
class Exchange {
  connection: Line | null = null;
  opened = 0;
  /** What the next openings come to; without it they succeed at once. */
  opening: (() => Promise<void>) | null = null;
  isClosed = false;

  async get(): Promise<Line> {
    this.opened++;
    await this.opening?.();
    this.connection = { number: this.opened, isLost: false };
    return this.connection;
  }

  lost(line: Line): void {
    if (this.connection === line) this.connection = null;
  }

  close(): void {
    this.isClosed = true;
    if (this.connection !== null) this.connection.isLost = true;
  }
}

function pool(...connectors: Exchange[]): ConnectionPool<Line> {
  return poolOf(connectors.length, connectors);
}

function poolOf(size: number, connectors: readonly Exchange[]): ConnectionPool<Line> {
  const made = new ConnectionPool<Line>({
    connectors,
    size,
    slowAfter: 1_000,
    isLost: (line) => line.isLost,
    probe: async (line) => void probes.push(line.number),
    probeEvery: 60_000,
  });
  pools.push(made);
  return made;
}

/** Work that ends when the test says so. */
class Job {
  line: Line | null = null;
  end: (error?: unknown) => void = () => {};
  readonly done: Promise<string>;

  constructor(on: ConnectionPool<Line>, signal: AbortSignal = never, key = "") {
    this.done = on.use(
      (line) => {
        this.line = line;
        return new Promise<string>((resolve, reject) => {
          this.end = (error) => (error === undefined ? resolve("done") : reject(error));
        });
      },
      signal,
      key,
    );
    this.done.catch(() => {});
  }

  /** Loses the connection under the work. */
  lose(): void {
    if (this.line !== null) this.line.isLost = true;
    this.end(new StoreError("unavailable", "lost"));
  }
}

async function aborted(signal: AbortSignal): Promise<void> {
  while (!signal.aborted) await nextTurn();
}

async function settle(): Promise<void> {
  for (let i = 0; i < 5; i++) await nextTurn();
}

beforeEach(() => void vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] }));
afterEach(() => {
  for (const each of pools) each.close();
  pools = [];
  probes.length = 0;
  vi.useRealTimers();
});

describe("a pool", () => {
  it("opens a connection when one is wanted, and keeps it", async () => {
    const exchange = new Exchange();
    const shared = pool(exchange);
    expect(exchange.opened).toBe(0);
    expect(await shared.use(async (line) => line.number, never)).toBe(1);
    expect(await shared.use(async (line) => line.number, never)).toBe(1);
  });

  it("gives a connection to one at a time, in the order of asking", async () => {
    const shared = pool(new Exchange());
    const jobs = [new Job(shared), new Job(shared), new Job(shared)];
    await settle();
    for (const [i, job] of jobs.entries()) {
      expect(jobs.map(({ line }) => line !== null)).toEqual(jobs.map((_, j) => j <= i));
      job.end();
      await job.done;
      await settle();
    }
  });

  it("opens more connections for those who wait, one at a time until one is there", async () => {
    const exchanges = [new Exchange(), new Exchange(), new Exchange()];
    const gate = new AbortController();
    for (const exchange of exchanges) exchange.opening = () => aborted(gate.signal);
    const shared = pool(...exchanges);
    const jobs = [new Job(shared), new Job(shared)];
    await settle();
    expect(exchanges.map(({ opened }) => opened)).toEqual([1, 0, 0]);
    gate.abort();
    await settle();
    expect(exchanges.map(({ opened }) => opened)).toEqual([1, 1, 0]);
    expect(jobs.map(({ line }) => line !== null)).toEqual([true, true]);
    for (const job of jobs) job.end();
  });

  it("fails all who wait when no connection can be had", async () => {
    const exchanges = [new Exchange(), new Exchange()];
    for (const exchange of exchanges)
      exchange.opening = () => Promise.reject(new StoreError("denied", "wrong password"));
    const shared = pool(...exchanges);
    const jobs = [new Job(shared), new Job(shared), new Job(shared)];
    for (const job of jobs) await expect(job.done).rejects.toThrow("wrong password");
    expect(exchanges.map(({ opened }) => opened)).toEqual([1, 0]);
  });

  it("lets those who wait use the connection there is when another cannot be had", async () => {
    const [first, second] = [new Exchange(), new Exchange()];
    second.opening = () => Promise.reject(new StoreError("denied", "too many connections"));
    const shared = pool(first, second);
    const jobs = [new Job(shared), new Job(shared)];
    await settle();
    jobs[0]?.end();
    await settle();
    jobs[1]?.end();
    expect(await Promise.all(jobs.map(({ done }) => done))).toEqual(["done", "done"]);
    expect(second.opened).toBe(1);
  });

  it("tries once more on another connection after a loss", async () => {
    const exchange = new Exchange();
    const shared = pool(exchange);
    const job = new Job(shared);
    await settle();
    job.lose();
    await settle();
    expect(job.line?.number).toBe(2);
    job.end();
    expect(await job.done).toBe("done");
  });

  it("does not try a third time", async () => {
    const exchange = new Exchange();
    const job = new Job(pool(exchange));
    await settle();
    job.lose();
    await settle();
    job.lose();
    await expect(job.done).rejects.toThrow("lost");
    await expect(job.done).rejects.toBeInstanceOf(StoreError);
    expect(exchange.opened).toBe(2);
  });

  it("tries again where the connection went away before the work began", async () => {
    const exchange = new Exchange();
    const shared = pool(exchange);
    const first = new Job(shared);
    const second = new Job(shared);
    await settle();
    if (first.line !== null) first.line.isLost = true;
    first.end();
    exchange.connection = null;
    await settle();
    second.end();
    expect(await second.done).toBe("done");
    expect(exchange.opened).toBe(2);
  });

  it("keeps a connection whose work failed for another reason", async () => {
    const exchange = new Exchange();
    const shared = pool(exchange);
    const refused = shared.use(() => Promise.reject(new StoreError("denied", "no")), never);
    await expect(refused).rejects.toThrow("no");
    expect(await shared.use(async (line) => line.number, never)).toBe(1);
  });

  it("does not try again after a timeout, and does not keep the connection", async () => {
    const exchange = new Exchange();
    const shared = pool(exchange);
    const late = shared.use((line) => {
      line.isLost = true;
      return Promise.reject(new StoreError("timeout", "late"));
    }, never);
    await expect(late).rejects.toThrow("late");
    expect(exchange.opened).toBe(1);
    expect(await shared.use(async (line) => line.number, never)).toBe(2);
  });

  it("ends the wait of who calls off, and leaves the others in their order", async () => {
    const shared = pool(new Exchange());
    const [calledOff, other] = [new AbortController(), new AbortController()];
    const jobs = [new Job(shared), new Job(shared, calledOff.signal), new Job(shared, other.signal)];
    await settle();
    calledOff.abort(new StoreError("timeout", "the deadline"));
    await expect(jobs[1]?.done).rejects.toThrow("the deadline");
    jobs[0]?.end();
    await settle();
    expect(jobs.map(({ line }) => line !== null)).toEqual([true, false, true]);
    jobs[2]?.end();
    expect(await jobs[2]?.done).toBe("done");
  });

  it("ends the wait of who calls off during the work, which keeps the connection until it is done", async () => {
    const shared = pool(new Exchange());
    const calledOff = new AbortController();
    const [first, second] = [new Job(shared, calledOff.signal), new Job(shared)];
    await settle();
    calledOff.abort(new StoreError("closed", "the client is gone"));
    await expect(first.done).rejects.toThrow("the client is gone");
    await settle();
    expect(second.line).toBeNull();
    first.end();
    await settle();
    expect(second.line).not.toBeNull();
    second.end();
  });

  it("does not try again for who has called off", async () => {
    const exchange = new Exchange();
    const shared = pool(exchange);
    const calledOff = new AbortController();
    const job = new Job(shared, calledOff.signal);
    await settle();
    calledOff.abort(new StoreError("closed", "gone"));
    job.lose();
    await settle();
    expect(exchange.opened).toBe(1);
    await expect(shared.use(async () => "never", calledOff.signal)).rejects.toThrow("gone");
  });

  it("lets a thousand wait and no more", async () => {
    const shared = pool(new Exchange());
    const working = new Job(shared);
    await settle();
    const waiting = Array.from({ length: 1000 }, () => new Job(shared));
    await expect(new Job(shared).done).rejects.toThrow("1000 look-ups are queued");
    working.end();
    await settle();
    expect(waiting[0]?.line).not.toBeNull();
    const another = new Job(shared);
    shared.close();
    await expect(another.done).rejects.toMatchObject({ code: "closed" });
  });

  it("probes the connections that are not in use", async () => {
    const exchanges = [new Exchange(), new Exchange(), new Exchange()];
    const shared = pool(...exchanges);
    const jobs = [new Job(shared), new Job(shared)];
    await settle();
    jobs[0]?.end();
    await settle();
    vi.advanceTimersByTime(60_000);
    await settle();
    expect(probes).toEqual([1]);
    jobs[1]?.end();
    await settle();
    vi.advanceTimersByTime(60_000);
    await settle();
    expect(probes).toEqual([1, 1, 1]);
  });

  it("forgets a connection whose probe fails", async () => {
    const exchange = new Exchange();
    const shared = new ConnectionPool<Line>({
      connectors: [exchange],
      size: 1,
      slowAfter: 1_000,
      isLost: (line) => line.isLost,
      probe: (line) => {
        line.isLost = true;
        return Promise.reject(new StoreError("timeout", "silence"));
      },
      probeEvery: 60_000,
    });
    pools.push(shared);
    await shared.use(async () => "", never);
    vi.advanceTimersByTime(60_000);
    await settle();
    expect(exchange.connection).toBeNull();
  });

  describe("whose work takes long", () => {
    beforeEach(() => {
      vi.useRealTimers();
      vi.useFakeTimers({ toFake: ["setInterval", "clearInterval", "setTimeout", "clearTimeout", "performance"] });
    });

    const exchangesOf = (count: number) => Array.from({ length: count }, () => new Exchange());
    const opened = (exchanges: readonly Exchange[]) => exchanges.map((exchange) => exchange.opened);

    it("opens connections for those who wait once some work is slow, up to the most there may be", async () => {
      const exchanges = exchangesOf(3);
      const shared = poolOf(1, exchanges);
      const jobs = [new Job(shared), new Job(shared), new Job(shared), new Job(shared)];
      await settle();
      vi.advanceTimersByTime(999);
      await settle();
      expect(opened(exchanges)).toEqual([1, 0, 0]);
      vi.advanceTimersByTime(1);
      await settle();
      expect(opened(exchanges)).toEqual([1, 1, 1]);
      expect(jobs.map(({ line }) => line !== null)).toEqual([true, true, true, false]);
      for (const job of jobs) {
        job.end();
        await settle();
      }
      expect(await Promise.all(jobs.map(({ done }) => done))).toEqual(jobs.map(() => "done"));
      expect(opened(exchanges)).toEqual([1, 1, 1]);
    });

    it("opens none while nobody waits", async () => {
      const exchanges = exchangesOf(2);
      const shared = poolOf(1, exchanges);
      const job = new Job(shared);
      await settle();
      vi.advanceTimersByTime(10_000);
      await settle();
      expect(opened(exchanges)).toEqual([1, 0]);
      job.end();
    });

    it("closes what is more than its size once it is not in use", async () => {
      const exchanges = exchangesOf(2);
      const shared = poolOf(1, exchanges);
      const jobs = [new Job(shared), new Job(shared)];
      await settle();
      vi.advanceTimersByTime(1_000);
      await settle();
      for (const job of jobs) job.end();
      await settle();
      vi.advanceTimersByTime(60_000);
      await settle();
      expect(exchanges.map(({ connection }) => connection !== null)).toEqual([true, false]);
    });

    it("lets other keys go first, and gives a slow key one connection until it is fast again", async () => {
      const shared = poolOf(1, exchangesOf(4));
      const first = new Job(shared, never, "hung");
      await settle();
      const hung = Array.from({ length: 3 }, () => new Job(shared, never, "hung"));
      const well = [new Job(shared, never, "well"), new Job(shared, never, "well")];
      vi.advanceTimersByTime(1_000);
      await settle();
      expect(well.map(({ line }) => line !== null)).toEqual([true, true]);
      for (const job of well) job.end();
      await settle();
      expect(hung.map(({ line }) => line !== null)).toEqual([false, false, false]);
      first.end();
      await settle();
      expect(hung.map(({ line }) => line !== null)).toEqual([true, false, false]);
      hung[0]?.end();
      await settle();
      expect(hung.map(({ line }) => line !== null)).toEqual([true, true, true]);
      for (const job of hung) job.end();
    });

    it("gives slow keys half of the connections at most", async () => {
      const shared = poolOf(1, exchangesOf(4));
      const keys = ["a", "b", "c"];
      for (const key of keys) {
        const job = new Job(shared, never, key);
        await settle();
        vi.advanceTimersByTime(1_000);
        job.end();
        await settle();
      }
      const slow = keys.map((key) => new Job(shared, never, key));
      await settle();
      expect(slow.map(({ line }) => line !== null)).toEqual([true, true, false]);
      const other = new Job(shared, never, "other");
      await settle();
      expect(other.line).not.toBeNull();
      for (const job of [...slow, other]) job.end();
    });
  });

  it("closes with everything in it", async () => {
    const exchanges = [new Exchange(), new Exchange()];
    const shared = pool(...exchanges);
    const jobs = [new Job(shared), new Job(shared), new Job(shared)];
    await settle();
    shared.close();
    jobs[0]?.lose();
    jobs[1]?.lose();
    for (const { done } of jobs) await expect(done).rejects.toMatchObject({ code: "closed" });
    await expect(shared.use(async () => "", never)).rejects.toMatchObject({ code: "closed" });
    expect(exchanges.map(({ isClosed }) => isClosed)).toEqual([true, true]);
  });
});
