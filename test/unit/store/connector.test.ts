import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Connector } from "../../../src/store/kit/connector.ts";
import { type Log, StoreError } from "../../../src/store/store.ts";

interface Link {
  readonly to: string;
  state: "up" | "disconnected" | "retired";
}

/** A network of named endpoints of which some are down. */
class Network {
  readonly down = new Set<string>();
  readonly lines: string[] = [];
  attempts = 0;

  connector(...endpoints: string[]): Connector<string, Link> {
    const line = (message: string) => void this.lines.push(message);
    const log: Log = { error: line, warning: line, notice: line, info: line, debug: line };
    return new Connector<string, Link>({
      endpoints,
      connect: async (to) => {
        this.attempts++;
        await Promise.resolve();
        if (this.down.has(to)) throw new Error(`${to} refused`);
        return { to, state: "up" };
      },
      disconnect: (link) => {
        link.state = "disconnected";
      },
      retire: (link) => {
        link.state = "retired";
      },
      describe: (endpoint) => endpoint,
      log,
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
