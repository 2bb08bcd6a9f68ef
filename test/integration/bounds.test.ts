/** Limits on what a client may use, over real sockets and with a clock that the tests move. */
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import {
  ControllableServer,
  netstring,
  present,
  type RecordingClient,
  until,
} from "../../fixtures/controllable-server.ts";
import { tick } from "../../src/net/tick-scheduler.ts";

const ok = (...keys: readonly string[]) => keys.map((key) => netstring(`OK ${key}`)).join("");
const OVERLOADED = netstring("TEMP Too many connections, try again later");
const tcp = { host: "127.0.0.1", port: 0 };

let rig: ControllableServer;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
  rig = new ControllableServer();
});

afterEach(async () => {
  vi.useRealTimers();
  await rig.close();
});

/** Advances the clock of the server. */
function pass(seconds: number): void {
  vi.advanceTimersByTime(seconds * 1000);
}

/** Waits until everything that clients have sent before is read. */
async function settle(): Promise<void> {
  const witness = rig.client();
  await witness.ask("fred").reads(ok("fred"));
  witness.socket.destroy();
  await until(() => witness.isClosed);
}

/** Waits until so many connections are open and their input is read. The request of a witness would need a slot. */
async function arrived(clients: number): Promise<void> {
  await until(() => rig.server.connectionCounts.open === clients);
  for (let ticks = 0; ticks < 20; ticks++) await new Promise((resolve) => setImmediate(resolve));
}

/** A client with more unread replies than the limit, which it never reads. */
async function stalledClient(): Promise<RecordingClient> {
  const stalled = rig.client();
  await stalled.ask("fred").reads(ok("fred"));
  stalled.socket.pause();
  const many = netstring(`cyrus ${"x".repeat(10_000)}`).repeat(50);
  while (stalled.socket.writableLength <= 4 * many.length) {
    stalled.socket.write(many, "latin1");
    await settle();
  }
  return stalled;
}

/** Counts of the server that witnesses do not change. */
function counts(): { readonly waiting: number; readonly refused: number; readonly dropped: number } {
  const { waiting, refused, dropped } = rig.server.connectionCounts;
  return { waiting, refused, dropped };
}

describe("the time-out", () => {
  it("of a request begins with its first octet and is not extended by further ones", async () => {
    await rig.start({ requestTimeout: 5_000 });
    const slow = rig.client();
    for (const octet of "10:cy") {
      slow.send(octet);
      await settle();
      expect(counts().dropped).toBe(0);
      pass(1);
    }
    pass(1);
    await slow.ended();
    expect(slow.text).toBe("");
    expect(counts().dropped).toBe(1);
    expect(rig.lines).toEqual([
      "smmap_request_timeout: connections were closed because the client took too long to send a request or to read replies",
    ]);
  });

  it("of a request begins anew with the next request", async () => {
    await rig.start({ requestTimeout: 5_000 });
    const steady = rig.client();
    for (let round = 1; round <= 4; round++) {
      steady.send("10:cyrus");
      await settle();
      pass(4);
      steady.send(" fred,");
      await steady.reads(ok("fred").repeat(round));
    }
    expect(counts().dropped).toBe(0);
  });

  it("of an idle connection applies between requests in place of that of a request", async () => {
    await rig.start({ requestTimeout: 5_000, idleTimeout: 60_000 });
    const idle = rig.client();
    await idle.ask("fred").reads(ok("fred"));
    pass(59);
    await idle.ask("fred").reads(ok("fred", "fred"));
    pass(62);
    await idle.ended();
    expect(counts().dropped).toBe(0);
  });

  it("of an idle connection or a request does not include the time of look-ups", async () => {
    await rig.start({ requestTimeout: 5_000, idleTimeout: 5_000, requestsPerConnection: 1 });
    const asking = rig.client().ask("slow", "fred").send("10:cy");
    await until(() => rig.backend.pending.length === 1);
    pass(60);
    rig.backend.pending[0]?.answer(present);
    await asking.reads(ok("slow", "fred"));
    pass(7);
    await asking.ended();
  });

  it("of a request does not include the wait for a request slot", async () => {
    await rig.start({ requestTimeout: 5_000, requestsMax: 1 });
    const slow = rig.client().send("10:cy");
    await settle();
    const busy = rig.client().ask("slow");
    await until(() => rig.backend.pending.length === 1);
    pass(2);
    slow.send("rus");
    await arrived(2);
    pass(10);
    rig.backend.pending[0]?.answer(present);
    await busy.reads(ok("slow"));
    await settle();
    pass(3);
    expect(counts().dropped).toBe(0);
    pass(1);
    await slow.ended();
    expect(counts().dropped).toBe(1);
  });

  it("for reading replies is that of a request", async () => {
    await rig.start({ requestTimeout: 5_000, idleTimeout: 3_600_000 });
    const stalled = await stalledClient();
    pass(4);
    await settle();
    expect(stalled.socket.destroyed).toBe(false);
    pass(4);
    await until(() => counts().dropped === 1);
    await until(() => rig.server.connectionCounts.open === 0);
  });
});

describe("draining", () => {
  it("is not delayed by a client that never reads its replies", async () => {
    await rig.start({ requestTimeout: 5_000, idleTimeout: 3_600_000 });
    await stalledClient();
    const drained = rig.server.drain(60_000, Number.POSITIVE_INFINITY);
    pass(7);
    await drained;
    expect(counts().dropped).toBe(1);
  });
});

describe("requests", () => {
  it("of all connections share a number of slots, which connections use in turn", async () => {
    await rig.start({ requestsMax: 2 });
    const names = (id: string) => Array.from({ length: 4 }, (_, i) => `slow${id}${i}`);
    const clients: RecordingClient[] = [];
    for (const id of ["a", "b", "c"]) {
      clients.push(rig.client().ask(...names(id)));
      await arrived(clients.length);
    }
    for (let answered = 0; answered < 12; answered++) {
      await until(() => rig.backend.pending.length > answered);
      expect(rig.backend.pending.length).toBeLessThanOrEqual(answered + 2);
      rig.backend.pending[answered]?.answer(present);
    }
    await Promise.all(["a", "b", "c"].map((id, i) => clients[i]?.reads(ok(...names(id)))));
    expect(rig.backend.requested).toEqual(
      ["a0", "a1", "a2", "b0", "c0", "a3", "b1", "c1", "b2", "c2", "b3", "c3"].map((name) => `slow${name}`),
    );
  });

  it("of closed connections release their slots", async () => {
    await rig.start({ requestsMax: 1 }, tcp);
    const first = rig.client().ask("slow1");
    await until(() => rig.backend.pending.length === 1);
    const second = rig.client().ask("slow2");
    await arrived(2);
    expect(rig.backend.requested).toEqual(["slow1"]);
    // Without a reset, the client could have half-closed and still read.
    first.socket.resetAndDestroy();
    await until(() => rig.backend.pending.length === 2);
    rig.backend.pending[1]?.answer(present);
    await second.reads(ok("slow2"));
    await rig.client().ask("fred").reads(ok("fred"));
  });

  it("that are incomplete use no slot and no processor time", async () => {
    await rig.start({ requestsMax: 1 });
    const first = rig.client().ask("slow");
    await until(() => rig.backend.pending.length === 1);
    const half = [rig.client(), rig.client()];
    for (const client of half) client.send("10:cyrus");
    await arrived(3);
    rig.backend.pending[0]?.answer(present);
    await first.reads(ok("slow"));
    await arrived(3);
    const before = tick;
    await arrived(3);
    expect(tick).toBe(before);
    for (const client of half) await client.send(" fred,").reads(ok("fred"));
  });

  it("get more slots by a reload", async () => {
    await rig.start({ requestsMax: 1 });
    const both = rig.client().ask("slow1", "slow2");
    await until(() => rig.backend.pending.length === 1);
    const { settings } = rig;
    rig.active.swap({ ...settings, limits: { ...settings.limits, requestsMax: 2 } });
    await until(() => rig.backend.pending.length === 2);
    for (const { answer } of rig.backend.pending) answer(present);
    await both.reads(ok("slow1", "slow2"));
  });

  it("that wait for a slot are answered when the server closes", async () => {
    await rig.start({ requestsMax: 1 });
    const asking = rig.client().ask("slow1", "fred", "nobody");
    await until(() => rig.backend.pending.length === 1);
    const closed = rig.server.close();
    rig.backend.pending[0]?.answer(present);
    await asking.ended();
    expect(asking.text).toBe(ok("slow1", "fred") + netstring("NOTFOUND Mailbox does not exist"));
    asking.socket.end();
    await closed;
  });

  it("of one connection are in flight up to its limit", async () => {
    await rig.start({ requestsPerConnection: 3 });
    const names = ["slow0", "slow1", "slow2", "slow3"];
    const asking = rig.client().ask(...names);
    await until(() => rig.backend.pending.length === 3);
    await settle();
    expect(rig.backend.pending.length).toBe(3);
    for (let answered = 0; answered < names.length; answered++) {
      await until(() => rig.backend.pending.length > answered);
      rig.backend.pending[answered]?.answer(present);
    }
    await asking.reads(ok(...names));
  });

  it("of other clients are answered while one client floods", async () => {
    await rig.start();
    const flood = rig.client();
    await flood.ask("first").reads(ok("first"));
    flood.ask(...Array.from({ length: 2_000 }, () => "flood"));
    rig.client().ask("quiet");
    await until(() => rig.backend.requested.includes("quiet"));
    // The whole flood arrived in one chunk.
    expect(rig.backend.requested.filter((user) => user === "flood").length).toBeLessThan(2_000);
    await flood.reads(ok("first") + ok("flood").repeat(2_000));
  });
});

describe("octets", () => {
  it("of all connections beyond their limit shorten the time-out of requests", async () => {
    await rig.start({ bytesMax: 1_000, requestTimeout: 60_000 });
    const slow = [rig.client(), rig.client()];
    for (const client of slow) client.send(`10000:${"x".repeat(400)}`);
    await settle();
    pass(3);
    await settle();
    expect(counts().dropped).toBe(0);
    slow[0]?.send("x".repeat(400));
    await settle();
    pass(2);
    await until(() => counts().dropped === 2);
  });
});

describe("connections", () => {
  it("beyond the limit wait as long as a request may take, and are then rejected with a temporary failure", async () => {
    await rig.start({ connectionsMax: 1, requestTimeout: 5_000 });
    await rig.client().ask("fred").reads(ok("fred"));
    const waiting = rig.client().ask("barney");
    await until(() => counts().waiting === 1);
    pass(5);
    expect(counts()).toMatchObject({ waiting: 1, refused: 0 });
    pass(1);
    await waiting.ended();
    expect(waiting.text).toBe(OVERLOADED);
    expect(counts()).toMatchObject({ waiting: 0, refused: 1 });
  });

  it("beyond the limit of waiting ones are rejected at once, with a reply of their protocol", async () => {
    await rig.start({ connectionsMax: 1, connectionsWaiting: 0 });
    await rig.listen("policy", { path: join(rig.folder, "policy") });
    const first = rig.client();
    await first.ask("fred").reads(ok("fred"));
    const rejected = rig.client().ask("barney");
    await rejected.ended();
    expect(rejected.text).toBe(OVERLOADED);
    const policy = rig.client(1).send("request=smtpd_access_policy\nrecipient=fred\n\n");
    await policy.ended();
    expect(policy.text).toBe("action=DEFER_IF_PERMIT 4.3.2 Too many connections, try again later\n\n");
    expect(counts().refused).toBe(2);
    // Connections that are served are not affected.
    await first.ask("wilma").reads(ok("fred", "wilma"));
  });

  it("that are rejected are closed after a moment", async () => {
    await rig.start({ connectionsMax: 1, connectionsWaiting: 0 });
    await rig.client().ask("fred").reads(ok("fred"));
    const rejected = rig.client();
    await rejected.ended();
    await until(() => {
      if (!rejected.isClosed) rejected.send("x");
      return rejected.isClosed;
    });
  });

  it("that end while they wait make room for others", async () => {
    await rig.start({ connectionsMax: 1 });
    await rig.client().ask("fred").reads(ok("fred"));
    const half = rig.client();
    await until(() => counts().waiting === 1);
    half.socket.end();
    await half.closed;
    const gone = rig.client();
    await until(() => counts().waiting === 1);
    gone.socket.destroy();
    await until(() => counts().waiting === 0);
    expect(counts().refused).toBe(0);
  });

  it("that half-close while they wait are answered when they are served", async () => {
    await rig.start({ connectionsMax: 1 });
    const first = rig.client();
    await first.ask("fred").reads(ok("fred"));
    const half = rig.client().ask("barney");
    half.socket.end();
    await until(() => counts().waiting === 1);
    first.socket.destroy();
    await half.closed;
    expect(half.text).toBe(ok("barney"));
  });
});

describe("connections of one client", () => {
  const PROBLEM = "smmap_connections_per_client: 127.0.0.1 has 2 connections, its further connections wait";

  it("are limited, and other clients are served", async () => {
    await rig.start({ connectionsPerClient: 2 }, tcp);
    const busy = [rig.client(), rig.client()];
    for (const client of busy) await client.ask("fred").reads(ok("fred"));
    const third = rig.client().ask("barney");
    await until(() => counts().waiting === 1);
    expect(rig.lines).toEqual([PROBLEM]);
    await rig.client(0, "127.0.0.2").ask("fred").reads(ok("fred"));
    expect(third.text).toBe("");
    busy[0]?.socket.destroy();
    await third.reads(ok("barney"));
  });

  it("that wait are limited as well, and other clients may wait", async () => {
    await rig.start({ connectionsPerClient: 2, connectionsMax: 3, connectionsWaiting: 3 }, tcp);
    const busy = Array.from({ length: 4 }, () => rig.client().ask("fred"));
    await until(() => counts().waiting === 2);
    const fifth = rig.client().ask("fred");
    await fifth.ended();
    expect(fifth.text).toBe(OVERLOADED);
    const served = rig.client(0, "127.0.0.2");
    await served.ask("fred").reads(ok("fred"));
    const waiting = rig.client(0, "127.0.0.3").ask("wilma");
    await until(() => counts().waiting === 3);
    // The client connected last, but those before it are at the limit of one client.
    served.socket.destroy();
    await waiting.reads(ok("wilma"));
    expect(busy.map(({ text }) => text)).toEqual([ok("fred"), ok("fred"), "", ""]);
  });

  it("are not limited on UNIX sockets", async () => {
    await rig.start({ connectionsPerClient: 1 });
    for (let i = 0; i < 3; i++) await rig.client().ask("fred").reads(ok("fred"));
  });

  it("are not limited if smmap_connections_per_client is 0", async () => {
    await rig.start({ connectionsPerClient: 0 }, tcp);
    for (let i = 0; i < 3; i++) await rig.client().ask("fred").reads(ok("fred"));
    expect(rig.lines).toEqual([]);
  });

  it("that were opened before a reload count", async () => {
    await rig.start({}, tcp);
    const first = rig.client();
    await first.ask("fred").reads(ok("fred"));
    const { settings } = rig;
    rig.active.swap({ ...settings, limits: { ...settings.limits, connectionsPerClient: 1 } });
    const second = rig.client().ask("fred");
    await until(() => counts().waiting === 1);
    first.socket.destroy();
    await second.reads(ok("fred"));
  });
});
