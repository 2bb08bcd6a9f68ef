/** What a client may take of the server, and what it leaves to others: over real sockets, with the seconds made by hand. */
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { netstring, type PuppetClient, PuppetServer, present, until } from "../../fixtures/puppet-server.ts";
import { turn } from "../../src/net/tick-scheduler.ts";

const ok = (...keys: readonly string[]) => keys.map((key) => netstring(`OK ${key}`)).join("");
const AWAY = netstring("TEMP Too many connections, try again later");
const tcp = { host: "127.0.0.1", port: 0 };

let rig: PuppetServer;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
  rig = new PuppetServer();
});

afterEach(async () => {
  vi.useRealTimers();
  await rig.close();
});

/** Lets the server see so many seconds go by. */
function pass(seconds: number): void {
  vi.advanceTimersByTime(seconds * 1000);
}

/** Waits until all that a client has sent before is read. */
async function settle(): Promise<void> {
  const witness = rig.client();
  await witness.ask("fred").reads(ok("fred"));
  witness.socket.destroy();
  await until(() => witness.isClosed);
}

/** Waits until so many clients are there and what they have sent is read. A witness would need a place. */
async function arrived(clients: number): Promise<void> {
  await until(() => rig.server.connectionCounts.open === clients);
  for (let turns = 0; turns < 20; turns++) await new Promise((resolve) => setImmediate(resolve));
}

/** Asks more than it may without reading the replies, which it never does. */
async function deafClient(): Promise<PuppetClient> {
  const deaf = rig.client();
  await deaf.ask("fred").reads(ok("fred"));
  deaf.socket.pause();
  const many = netstring(`cyrus ${"x".repeat(10_000)}`).repeat(50);
  while (deaf.socket.writableLength <= 4 * many.length) {
    deaf.socket.write(many, "latin1");
    await settle();
  }
  return deaf;
}

/** Counts of the server, without those of witnesses. */
function counts(): { readonly waiting: number; readonly refused: number; readonly dropped: number } {
  const { waiting, refused, dropped } = rig.server.connectionCounts;
  return { waiting, refused, dropped };
}

describe("time", () => {
  it("for a request begins with its first octet, however often another one comes", async () => {
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
      "smmap_request_timeout: clients are dropped that take too long to send a request or to read replies",
    ]);
  });

  it("for a request begins anew with the next one", async () => {
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

  it("that a client is silent between requests is not that of a request", async () => {
    await rig.start({ requestTimeout: 5_000, idleTimeout: 60_000 });
    const idle = rig.client();
    await idle.ask("fred").reads(ok("fred"));
    pass(59);
    await idle.ask("fred").reads(ok("fred", "fred"));
    pass(62);
    await idle.ended();
    expect(counts().dropped).toBe(0);
  });

  it("of a look-up counts neither as silence nor as slowness", async () => {
    await rig.start({ requestTimeout: 5_000, idleTimeout: 5_000, requestsPerConnection: 1 });
    const asking = rig.client().ask("slow", "fred").send("10:cy");
    await until(() => rig.puppet.pending.length === 1);
    pass(60);
    rig.puppet.pending[0]?.answer(present);
    await asking.reads(ok("slow", "fred"));
    pass(7);
    await asking.ended();
  });

  it("for a request is neither more nor less for one that had to wait for a place", async () => {
    await rig.start({ requestTimeout: 5_000, requestsMax: 1 });
    const slow = rig.client().send("10:cy");
    await settle();
    const busy = rig.client().ask("slow");
    await until(() => rig.puppet.pending.length === 1);
    pass(2);
    slow.send("rus");
    await arrived(2);
    pass(10);
    rig.puppet.pending[0]?.answer(present);
    await busy.reads(ok("slow"));
    await settle();
    pass(3);
    expect(counts().dropped).toBe(0);
    pass(1);
    await slow.ended();
    expect(counts().dropped).toBe(1);
  });

  it("for reading replies is as long as for a request", async () => {
    await rig.start({ requestTimeout: 5_000, idleTimeout: 3_600_000 });
    const deaf = await deafClient();
    pass(4);
    await settle();
    expect(deaf.socket.destroyed).toBe(false);
    pass(4);
    await until(() => counts().dropped === 1);
    await until(() => rig.server.connectionCounts.open === 0);
  });
});

describe("the end", () => {
  it("is not held up by a client that never reads its replies", async () => {
    await rig.start({ requestTimeout: 5_000, idleTimeout: 3_600_000 });
    await deafClient();
    const drained = rig.server.drain(60_000, Number.POSITIVE_INFINITY);
    pass(7);
    await drained;
    expect(counts().dropped).toBe(1);
  });
});

describe("requests", () => {
  it("of all connections have places, and clients take turns for them", async () => {
    await rig.start({ requestsMax: 2 });
    const names = (who: string) => Array.from({ length: 4 }, (_, i) => `slow${who}${i}`);
    const clients: PuppetClient[] = [];
    for (const who of ["a", "b", "c"]) {
      clients.push(rig.client().ask(...names(who)));
      await arrived(clients.length);
    }
    for (let answered = 0; answered < 12; answered++) {
      await until(() => rig.puppet.pending.length > answered);
      expect(rig.puppet.pending.length).toBeLessThanOrEqual(answered + 2);
      rig.puppet.pending[answered]?.answer(present);
    }
    await Promise.all(["a", "b", "c"].map((who, i) => clients[i]?.reads(ok(...names(who)))));
    expect(rig.puppet.asked).toEqual(
      ["a0", "a1", "a2", "b0", "c0", "a3", "b1", "c1", "b2", "c2", "b3", "c3"].map((name) => `slow${name}`),
    );
  });

  it("of clients that are gone give their places back", async () => {
    await rig.start({ requestsMax: 1 }, tcp);
    const first = rig.client().ask("slow1");
    await until(() => rig.puppet.pending.length === 1);
    const second = rig.client().ask("slow2");
    await arrived(2);
    expect(rig.puppet.asked).toEqual(["slow1"]);
    // A mere end could be the half of a client that still reads.
    first.socket.resetAndDestroy();
    await until(() => rig.puppet.pending.length === 2);
    rig.puppet.pending[1]?.answer(present);
    await second.reads(ok("slow2"));
    await rig.client().ask("fred").reads(ok("fred"));
  });

  it("that are half there want no place, and do not keep the server busy", async () => {
    await rig.start({ requestsMax: 1 });
    const first = rig.client().ask("slow");
    await until(() => rig.puppet.pending.length === 1);
    const half = [rig.client(), rig.client()];
    for (const client of half) client.send("10:cyrus");
    await arrived(3);
    rig.puppet.pending[0]?.answer(present);
    await first.reads(ok("slow"));
    await arrived(3);
    const before = turn;
    await arrived(3);
    expect(turn).toBe(before);
    for (const client of half) await client.send(" fred,").reads(ok("fred"));
  });

  it("may be more after a reload", async () => {
    await rig.start({ requestsMax: 1 });
    const both = rig.client().ask("slow1", "slow2");
    await until(() => rig.puppet.pending.length === 1);
    const { settings } = rig.server;
    rig.server.settings = { ...settings, limits: { ...settings.limits, requestsMax: 2 } };
    await until(() => rig.puppet.pending.length === 2);
    for (const { answer } of rig.puppet.pending) answer(present);
    await both.reads(ok("slow1", "slow2"));
  });

  it("that wait for a place are answered at the end, too", async () => {
    await rig.start({ requestsMax: 1 });
    const asking = rig.client().ask("slow1", "fred", "nobody");
    await until(() => rig.puppet.pending.length === 1);
    const closed = rig.server.close();
    rig.puppet.pending[0]?.answer(present);
    await asking.ended();
    expect(asking.text).toBe(ok("slow1", "fred") + netstring("NOTFOUND Mailbox does not exist"));
    asking.socket.end();
    await closed;
  });

  it("of one connection are as many as its limit says", async () => {
    await rig.start({ requestsPerConnection: 3 });
    const names = ["slow0", "slow1", "slow2", "slow3"];
    const asking = rig.client().ask(...names);
    await until(() => rig.puppet.pending.length === 3);
    await settle();
    expect(rig.puppet.pending.length).toBe(3);
    for (let answered = 0; answered < names.length; answered++) {
      await until(() => rig.puppet.pending.length > answered);
      rig.puppet.pending[answered]?.answer(present);
    }
    await asking.reads(ok(...names));
  });

  it("of a client that floods leave turns to others", async () => {
    await rig.start();
    const flood = rig.client();
    await flood.ask("first").reads(ok("first"));
    flood.ask(...Array.from({ length: 2_000 }, () => "flood"));
    rig.client().ask("quiet");
    await until(() => rig.puppet.asked.includes("quiet"));
    // All of the flood came in one chunk.
    expect(rig.puppet.asked.filter((user) => user === "flood").length).toBeLessThan(2_000);
    await flood.reads(ok("first") + ok("flood").repeat(2_000));
  });
});

describe("bytes", () => {
  it("of all clients together make the server impatient where they are too many", async () => {
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
  it("wait no longer than a request may take, and are then told to try again", async () => {
    await rig.start({ connectionsMax: 1, requestTimeout: 5_000 });
    await rig.client().ask("fred").reads(ok("fred"));
    const waiting = rig.client().ask("barney");
    await until(() => counts().waiting === 1);
    pass(5);
    expect(counts()).toMatchObject({ waiting: 1, refused: 0 });
    pass(1);
    await waiting.ended();
    expect(waiting.text).toBe(AWAY);
    expect(counts()).toMatchObject({ waiting: 0, refused: 1 });
  });

  it("for which there is no room to wait are told so at once, in the words of their protocol", async () => {
    await rig.start({ connectionsMax: 1, connectionsWaiting: 0 });
    await rig.listen("policy", { path: join(rig.folder, "policy") });
    const first = rig.client();
    await first.ask("fred").reads(ok("fred"));
    const away = rig.client().ask("barney");
    await away.ended();
    expect(away.text).toBe(AWAY);
    const policy = rig.client(1).send("request=smtpd_access_policy\nrecipient=fred\n\n");
    await policy.ended();
    expect(policy.text).toBe("action=DEFER_IF_PERMIT 4.3.2 Too many connections, try again later\n\n");
    expect(counts().refused).toBe(2);
    // Whoever is served does not notice.
    await first.ask("wilma").reads(ok("fred", "wilma"));
  });

  it("that were told so have a moment, and no more, to close", async () => {
    await rig.start({ connectionsMax: 1, connectionsWaiting: 0 });
    await rig.client().ask("fred").reads(ok("fred"));
    const away = rig.client();
    await away.ended();
    await until(() => {
      if (!away.isClosed) away.send("x");
      return away.isClosed;
    });
  });

  it("that end while they wait give their place back", async () => {
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

  it("that have ended after their request are answered in their turn", async () => {
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
  const PROBLEM = "smmap_connections_per_client: 127.0.0.1 has 2 connections, the rest waits";

  it("are limited, and leave room for others", async () => {
    await rig.start({ connectionsPerClient: 2 }, tcp);
    const greedy = [rig.client(), rig.client()];
    for (const client of greedy) await client.ask("fred").reads(ok("fred"));
    const third = rig.client().ask("barney");
    await until(() => counts().waiting === 1);
    expect(rig.lines).toEqual([PROBLEM]);
    await rig.client(0, "127.0.0.2").ask("fred").reads(ok("fred"));
    expect(third.text).toBe("");
    greedy[0]?.socket.destroy();
    await third.reads(ok("barney"));
  });

  it("that wait are limited as well, and do not keep others from waiting", async () => {
    await rig.start({ connectionsPerClient: 2, connectionsMax: 3, connectionsWaiting: 3 }, tcp);
    const greedy = Array.from({ length: 4 }, () => rig.client().ask("fred"));
    await until(() => counts().waiting === 2);
    const fifth = rig.client().ask("fred");
    await fifth.ended();
    expect(fifth.text).toBe(AWAY);
    const served = rig.client(0, "127.0.0.2");
    await served.ask("fred").reads(ok("fred"));
    const waiting = rig.client(0, "127.0.0.3").ask("wilma");
    await until(() => counts().waiting === 3);
    // It came last, and those before it have had their share.
    served.socket.destroy();
    await waiting.reads(ok("wilma"));
    expect(greedy.map(({ text }) => text)).toEqual([ok("fred"), ok("fred"), "", ""]);
  });

  it("are not known on unix sockets, and so not limited", async () => {
    await rig.start({ connectionsPerClient: 1 });
    for (let i = 0; i < 3; i++) await rig.client().ask("fred").reads(ok("fred"));
  });

  it("are as many as they like where 0 is said", async () => {
    await rig.start({ connectionsPerClient: 0 }, tcp);
    for (let i = 0; i < 3; i++) await rig.client().ask("fred").reads(ok("fred"));
    expect(rig.lines).toEqual([]);
  });

  it("count from before a reload", async () => {
    await rig.start({}, tcp);
    const first = rig.client();
    await first.ask("fred").reads(ok("fred"));
    const { settings } = rig.server;
    rig.server.settings = { ...settings, limits: { ...settings.limits, connectionsPerClient: 1 } };
    const second = rig.client().ask("fred");
    await until(() => counts().waiting === 1);
    first.socket.destroy();
    await second.reads(ok("fred"));
  });
});
