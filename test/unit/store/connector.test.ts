import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Connector } from "../../../src/store/connector.ts";
import { EndpointHealth } from "../../../src/store/endpoint-health.ts";
import { LoginBackoff, LoginError } from "../../../src/store/login-backoff.ts";
import { type Log, StoreError } from "../../../src/store/store.ts";

interface Link {
  readonly to: string;
  state: "up" | "disconnected" | "retired";
}

/** A network of named endpoints, some of which are down, refuse the login, or accept connections and serve nothing. */
class Network {
  readonly down = new Set<string>();
  readonly refusing = new Set<string>();
  readonly busy = new Set<string>();
  readonly lines: string[] = [];
  attempts = 0;
  /** Connections that were opened to each endpoint, and logins that were refused by it. */
  readonly logins = new Map<string, number>();
  readonly #log: Log;
  readonly #logins: LoginBackoff;
  readonly #health = new EndpointHealth();

  constructor() {
    const line = (message: string) => void this.lines.push(message);
    this.#log = { error: line, warning: line, notice: line, info: line, debug: line };
    this.#logins = new LoginBackoff(this.#log);
  }

  loginsAt(endpoint: string): number {
    return this.logins.get(endpoint) ?? 0;
  }

  /** A search as an adapter makes it: once more on another server where one says that it cannot serve. */
  async search(connector: Connector<string, Link>): Promise<string> {
    const ask = async ({ to }: Link) => {
      await Promise.resolve();
      if (this.busy.has(to)) throw new StoreError("unavailable", `${to} is busy`);
      return to;
    };
    const link = await connector.get();
    return ask(link).catch((error: StoreError) => connector.failOver(link, error, ask));
  }

  /** All connectors are of one store. */
  connector(...endpoints: string[]): Connector<string, Link> {
    return new Connector<string, Link>({
      endpoints,
      connect: async (to) => {
        this.attempts++;
        await Promise.resolve();
        if (this.down.has(to)) throw new Error(`${to} refused`);
        this.logins.set(to, this.loginsAt(to) + 1);
        if (this.refusing.has(to)) throw new LoginError(`wrong password at ${to}`);
        return { to, state: "up" };
      },
      disconnect: (link) => {
        link.state = "disconnected";
      },
      retire: (link) => {
        link.state = "retired";
      },
      describe: (endpoint) => endpoint,
      logins: this.#logins,
      health: this.#health,
      log: this.#log,
    });
  }
}

beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] }));
afterEach(() => void vi.useRealTimers());

describe("Connector", () => {
  it("connects once for all who ask at the same time", async () => {
    const network = new Network();
    const connector = network.connector("a");
    const links = await Promise.all([connector.get(), connector.get(), connector.get()]);
    expect(new Set(links).size).toBe(1);
    expect(await connector.get()).toBe(links[0]);
    expect(network.attempts).toBe(1);
  });

  it("takes the first endpoint that answers", async () => {
    const network = new Network();
    network.down.add("a");
    const link = await network.connector("a", "b", "c").get();
    expect(link.to).toBe("b");
  });

  it("connects anew after a loss, told once or twice", async () => {
    const network = new Network();
    const connector = network.connector("a");
    const first = await connector.get();
    connector.lost(first);
    connector.lost(first);
    expect(first.state).toBe("disconnected");
    const second = await connector.get();
    expect(second).not.toBe(first);
    connector.lost(first);
    expect(connector.connection).toBe(second);
  });

  it("pauses after a failure, longer each time, and rejects at once meanwhile", async () => {
    const network = new Network();
    network.down.add("a");
    const connector = network.connector("a");
    await expect(connector.get()).rejects.toThrow("a refused");
    await expect(connector.get()).rejects.toBeInstanceOf(StoreError);
    expect(network.attempts).toBe(1);
    let before = network.attempts;
    for (let i = 0; i < 8; i++) {
      vi.advanceTimersByTime(3_000);
      await expect(connector.get()).rejects.toThrow("a refused");
      expect(network.attempts).toBe(before + 1);
      before++;
    }
    vi.advanceTimersByTime(1_400);
    await expect(connector.get()).rejects.toThrow("a refused");
    expect(network.attempts).toBe(before);
    network.down.clear();
    vi.advanceTimersByTime(3_000);
    expect((await connector.get()).to).toBe("a");
    expect(network.lines).toEqual(["a: a refused", "a: connected"]);
  });

  it("moves back to the preferred endpoint and lets the other finish its work", async () => {
    const network = new Network();
    network.down.add("a");
    const connector = network.connector("a", "b");
    const second = await connector.get();
    await vi.advanceTimersByTimeAsync(30_000);
    expect(connector.connection).toBe(second);
    network.down.clear();
    await vi.advanceTimersByTimeAsync(30_000);
    expect(connector.connection?.to).toBe("a");
    expect(second.state).toBe("retired");
  });

  it("gives nothing after close", async () => {
    const network = new Network();
    const connector = network.connector("a");
    const link = await connector.get();
    connector.close();
    connector.close();
    expect(link.state).toBe("disconnected");
    await expect(connector.get()).rejects.toMatchObject({ code: "closed" });
  });

  it("drops a connection that comes after close", async () => {
    const network = new Network();
    const connector = network.connector("a");
    const late = connector.get();
    connector.close();
    await expect(late).rejects.toMatchObject({ code: "closed" });
    expect(connector.connection).toBeNull();
  });
});

describe("A refused login", () => {
  const denied = { code: "denied", message: expect.stringContaining("wrong password at a") };

  it("is made once by all connectors of a store, however often a connection is asked for", async () => {
    const network = new Network();
    network.refusing.add("a");
    const connectors = [network.connector("a"), network.connector("a"), network.connector("a")];
    for (let second = 0; second < 29; second++) {
      const asked = [...connectors, ...connectors].map((connector) => connector.get());
      for (const each of asked) await expect(each).rejects.toMatchObject(denied);
      vi.advanceTimersByTime(1_000);
    }
    expect(network.loginsAt("a")).toBe(1);
  });

  it("is repeated after 30 s and then after twice as long each time, up to 10 min", async () => {
    const network = new Network();
    network.refusing.add("a");
    const connector = network.connector("a");
    const times: number[] = [];
    for (let second = 0; second < 3_000; second++) {
      const before = network.loginsAt("a");
      await expect(connector.get()).rejects.toMatchObject(denied);
      if (network.loginsAt("a") > before) times.push(second);
      vi.advanceTimersByTime(1_000);
    }
    const waits = times.slice(1).map((time, i) => time - (times[i] as number));
    // The connector's own pause of up to 3 s may end later.
    for (const [i, wait] of [30, 60, 120, 240, 480, 600, 600].entries()) {
      expect(waits[i]).toBeGreaterThanOrEqual(wait);
      expect(waits[i]).toBeLessThanOrEqual(wait + 3);
    }
  });

  it("is logged once, with what to do, and its end is logged", async () => {
    const network = new Network();
    network.refusing.add("a");
    const connectors = [network.connector("a"), network.connector("a")];
    for (let second = 0; second < 200; second++) {
      for (const connector of connectors) await expect(connector.get()).rejects.toMatchObject(denied);
      vi.advanceTimersByTime(1_000);
    }
    expect(network.lines).toEqual(["a: wrong password at a; next login in 30 s, or at once after a reload (SIGHUP)"]);
    network.refusing.clear();
    vi.advanceTimersByTime(600_000);
    expect((await (connectors[0] as Connector<string, Link>).get()).to).toBe("a");
    expect(network.lines[1]).toBe("a: the login is accepted again");
  });

  it("names the time of the next login in the same words for the whole wait", async () => {
    const network = new Network();
    network.refusing.add("a");
    const connector = network.connector("a");
    const messages = new Set<string>();
    for (let second = 0; second < 25; second++) {
      await connector.get().catch((error: StoreError) => messages.add(error.message));
      vi.advanceTimersByTime(1_000);
    }
    expect([...messages]).toEqual([
      expect.stringMatching(/^wrong password at a; no login before \d{4}-\d\d-\d\dT[\d:]+Z or a reload \(SIGHUP\)$/),
    ]);
  });

  it("leaves the next endpoint to be asked, and the first one alone until the wait is over", async () => {
    const network = new Network();
    network.refusing.add("a");
    const connector = network.connector("a", "b");
    expect((await connector.get()).to).toBe("b");
    for (let i = 0; i < 5; i++) {
      connector.lost(await connector.get());
      expect((await connector.get()).to).toBe("b");
    }
    expect(network.loginsAt("a")).toBe(1);
    await vi.advanceTimersByTimeAsync(29_000);
    expect(network.loginsAt("a")).toBe(1);
    network.refusing.clear();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(connector.connection?.to).toBe("a");
  });

  it("is made at no more than two endpoints within 30 s, and at the others later", async () => {
    const network = new Network();
    const names = ["a", "b", "c"];
    for (const name of names) network.refusing.add(name);
    const connector = network.connector(...names);
    await expect(connector.get()).rejects.toMatchObject({ code: "denied" });
    vi.advanceTimersByTime(20_000);
    await expect(connector.get()).rejects.toMatchObject({ code: "denied" });
    expect(names.map((name) => network.loginsAt(name))).toEqual([1, 1, 0]);
    network.refusing.delete("c");
    let seconds = 20;
    while (connector.connection === null && seconds++ < 100) {
      await connector.get().catch(() => {});
      vi.advanceTimersByTime(1_000);
    }
    expect(connector.connection?.to).toBe("c");
    expect(seconds).toBeLessThan(70);
    expect(names.map((name) => network.loginsAt(name))).toEqual([2, 2, 1]);
  });

  it("does not keep from an endpoint that accepted the login before", async () => {
    const network = new Network();
    network.down.add("a").add("b");
    const connector = network.connector("a", "b", "c");
    expect((await connector.get()).to).toBe("c");
    network.down.clear();
    network.refusing.add("a").add("b");
    connector.lost(await connector.get());
    expect((await connector.get()).to).toBe("c");
    expect(network.loginsAt("a") + network.loginsAt("b")).toBe(2);
  });

  it("does not slow down a server that is away and back", async () => {
    const network = new Network();
    network.down.add("a");
    const connector = network.connector("a");
    await expect(connector.get()).rejects.toThrow("a refused");
    network.down.clear();
    vi.advanceTimersByTime(100);
    expect((await connector.get()).to).toBe("a");
  });
});

describe("A server that accepts connections and cannot serve", () => {
  it("is left for the next one without a failed look-up", async () => {
    const network = new Network();
    network.busy.add("a");
    const connector = network.connector("a", "b");
    const first = await connector.get();
    const answers = await Promise.all(Array.from({ length: 50 }, () => network.search(connector)));
    expect(new Set(answers)).toEqual(new Set(["b"]));
    expect(first.state).toBe("retired");
    expect([network.loginsAt("a"), network.loginsAt("b")]).toEqual([1, 1]);
    expect(network.lines).toEqual(["a is busy; b answers and is used instead of a"]);
  });

  it("is left alone by all connectors of the store when they reconnect", async () => {
    const network = new Network();
    network.busy.add("a");
    await network.search(network.connector("a", "b"));
    expect((await network.connector("a", "b").get()).to).toBe("b");
  });

  it("is taken again after a pause that grows while it stays so, and soon after it has recovered", async () => {
    const network = new Network();
    network.busy.add("a");
    const connector = network.connector("a", "b");
    let failures = 0;
    for (let second = 0; second < 1_800; second++) {
      await network.search(connector).catch(() => failures++);
      await vi.advanceTimersByTimeAsync(1_000);
    }
    expect(failures).toBe(0);
    // At 0, 30, 90, 210, 450, 930 and 1,530 s; a fail-back is due every 30 s.
    expect(network.loginsAt("a")).toBeGreaterThanOrEqual(5);
    expect(network.loginsAt("a")).toBeLessThanOrEqual(8);
    network.busy.clear();
    await vi.advanceTimersByTimeAsync(700_000);
    expect(connector.connection?.to).toBe("a");
    await vi.advanceTimersByTimeAsync(700_000);
    network.busy.add("a");
    expect(await network.search(connector)).toBe("b");
    network.busy.clear();
    await vi.advanceTimersByTimeAsync(61_000);
    expect(connector.connection?.to).toBe("a");
  });

  it("is kept where no other answers, and connections are not opened in a tight loop", async () => {
    const network = new Network();
    network.busy.add("a").add("b");
    const connector = network.connector("a", "b");
    const first = await connector.get();
    for (let i = 0; i < 600; i++) {
      await expect(network.search(connector)).rejects.toThrow(/is busy/);
      await vi.advanceTimersByTimeAsync(100);
    }
    expect(connector.connection).toBe(first);
    expect(first.state).toBe("up");
    // A minute: 0.1, 0.2, 0.4 … 3 s apart, at least half of that.
    expect(network.loginsAt("b")).toBeLessThan(50);
    network.busy.delete("b");
    await vi.advanceTimersByTimeAsync(3_000);
    expect(await network.search(connector)).toBe("b");
  });

  it("is asked on a new connection where it is the only one, as another may stand behind its name", async () => {
    const network = new Network();
    network.busy.add("a");
    const connector = network.connector("a");
    const first = await connector.get();
    const searching = network.search(connector);
    await Promise.resolve();
    await Promise.resolve();
    network.busy.clear();
    expect(await searching).toBe("a");
    expect(first.state).toBe("retired");
    expect(network.loginsAt("a")).toBe(2);
  });

  it("does not hide a third one that can", async () => {
    const network = new Network();
    network.busy.add("a").add("b");
    const connector = network.connector("a", "b", "c");
    await expect(network.search(connector)).rejects.toThrow("b is busy");
    vi.advanceTimersByTime(100);
    expect(await network.search(connector)).toBe("c");
  });

  it("does not take a connection that was lost during the trial", async () => {
    const network = new Network();
    const connector = network.connector("a", "b");
    const first = await connector.get();
    const error = new StoreError("unavailable", "a is busy");
    await connector.failOver(first, error, async (link) => connector.lost(link));
    expect(connector.connection).toBe(first);
  });

  it("is left although the store is closed during the trial, and nothing stays open", async () => {
    const network = new Network();
    const connector = network.connector("a", "b");
    const first = await connector.get();
    let second: Link | null = null;
    const trial = connector.failOver(first, new StoreError("unavailable", "a is busy"), async (link) => {
      second = link;
      connector.close();
    });
    await trial;
    expect(first.state).toBe("disconnected");
    expect(second).toMatchObject({ state: expect.stringMatching(/disconnected|retired/) });
  });
});
