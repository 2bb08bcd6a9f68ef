/** Small parts of what keeps clients within bounds: who is one client, open files, warnings, turns and places. */
import { describe, expect, it } from "vitest";
import { testLimits } from "../../../fixtures/test-server.ts";
import { fitOpenFiles, openFilesMax } from "../../../src/daemon/fd-limit.ts";
import { NetworkCounts, networkOf } from "../../../src/net/client-address.ts";
import { type PlaceSeeker, Places } from "../../../src/net/request-slots.ts";
import { atEndOfTurn, inLaterTurn, turn } from "../../../src/net/tick-scheduler.ts";
import { ticksOf } from "../../../src/net/timeout-sweep.ts";
import { Rarely } from "../../../src/store/kit/throttled-log.ts";
import type { Log } from "../../../src/store/store.ts";

function collect(): { readonly log: Log; readonly warnings: string[] } {
  const warnings: string[] = [];
  const log: Log = { error() {}, warning: (text) => void warnings.push(text), notice() {}, info() {}, debug() {} };
  return { log, warnings };
}

/** Until nothing is left of what was put off. */
async function turnsPass(): Promise<void> {
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
}

describe("one client", () => {
  it.each([
    [undefined, null],
    ["192.0.2.1", "192.0.2.1"],
    ["::ffff:192.0.2.1", "192.0.2.1"],
    ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"],
    ["2001:db8:1:2::1", "2001:db8:1:2::/64"],
    ["2001:db8::1", "2001:db8:0:0::/64"],
    ["2001:db8::2:3:4:5", "2001:db8:0:0::/64"],
    ["2001:db8::1:2:3:4:5", "2001:db8:0:1::/64"],
    ["fe80::1%eth0", "fe80:0:0:0::/64"],
    ["::1", "0:0:0:0::/64"],
  ])("of %s is %s", (address, network) => {
    expect(networkOf(address)).toBe(network);
  });

  it("is counted, and forgotten with its last connection", () => {
    const counts = new NetworkCounts();
    counts.add("a");
    counts.add("a");
    counts.add(null);
    expect([counts.of("a"), counts.of("b"), counts.of(null)]).toEqual([2, 0, 0]);
    counts.remove("a");
    counts.remove("a");
    counts.remove(null);
    expect(counts.of("a")).toBe(0);
  });
});

describe("open files", () => {
  it("are known", () => {
    expect(openFilesMax()).toBeGreaterThan(0);
  });

  it.each([
    [Number.POSITIVE_INFINITY, 12_000, 1024],
    [13_408, 12_000, 1024],
    [13_407, 11_999, 1024],
    [1024, 560, 80],
    [200, 88, 12],
    [20, 9, 1],
  ])("of which there may be %d leave room for %d clients, and %d that wait", (files, served, waiting) => {
    const { log, warnings } = collect();
    const limits = fitOpenFiles(testLimits, files, log);
    expect(limits).toEqual({ ...testLimits, connectionsMax: served, connectionsWaiting: waiting });
    const problem = `smmap_connections_max: the limit of ${files} open files leaves room for ${served} clients, and ${waiting} that wait; raise it (ulimit -n, or LimitNOFILE= of systemd)`;
    expect(warnings).toEqual(served === 12_000 ? [] : [problem]);
  });
});

describe("a warning", () => {
  it("is not repeated at once, and does not silence others", () => {
    const { log, warnings } = collect();
    const rarely = new Rarely(log);
    rarely.warn("one", "first");
    rarely.warn("one", "second");
    rarely.warn("two", "third");
    expect(warnings).toEqual(["one: first", "two: third"]);
  });
});

describe("a time-out", () => {
  it.each([
    [0, Number.POSITIVE_INFINITY],
    [1, 1],
    [1_000, 1],
    [1_001, 2],
  ])("of %d ms is over when more than %d ticks are", (milliseconds, ticks) => {
    expect(ticksOf(milliseconds)).toBe(ticks);
  });
});

describe("a turn", () => {
  it("ends with what is to be sent, before anybody goes on", async () => {
    const events: string[] = [];
    const before = turn;
    inLaterTurn({ goOn: () => events.push(`on in ${turn - before}`) });
    atEndOfTurn(() => events.push(`sent in ${turn - before}`));
    expect(events).toEqual([]);
    await turnsPass();
    expect(events).toEqual(["sent in 0", "on in 1"]);
  });

  it("is left to others by those who go on for long, who then go on in their order", async () => {
    const events: string[] = [];
    const goOn = (name: string) => ({
      goOn() {
        events.push(`${name} in ${turn - before}`);
        const late = performance.now() + 3;
        while (performance.now() < late);
      },
    });
    const before = turn;
    for (const name of ["a", "b", "c"]) inLaterTurn(goOn(name));
    await turnsPass();
    expect(events).toEqual(["a in 1", "b in 2", "c in 3"]);
  });
});

describe("places", () => {
  /** Wants so many places, and tells when it is called. */
  function seeker(name: string, places: Places, wanted: number, calls: string[]): PlaceSeeker {
    let rest = wanted;
    const self: PlaceSeeker = {
      takePlace() {
        calls.push(name);
        if (rest === 0) return;
        places.take();
        if (--rest > 0) places.seek(self);
      },
    };
    return self;
  }

  it("are given in turn, one to each", async () => {
    const places = new Places(1);
    const calls: string[] = [];
    expect(places.isFree).toBe(true);
    places.take();
    expect(places.isFree).toBe(false);
    for (const name of ["a", "b"]) places.seek(seeker(name, places, 2, calls));
    for (let i = 0; i < 4; i++) {
      places.give(1);
      // Nobody pushes in.
      expect(places.isFree).toBe(false);
      await turnsPass();
    }
    expect(calls).toEqual(["a", "b", "a", "b"]);
    places.give(1);
    expect(places.isFree).toBe(true);
  });

  it("that somebody has no use for are the next one's", async () => {
    const places = new Places(1);
    const calls: string[] = [];
    places.take();
    const gone = seeker("gone", places, 1, calls);
    places.seek(gone);
    for (let i = 0; i < 200; i++) places.seek(seeker("idle", places, 0, calls));
    places.seek(seeker("last", places, 1, calls));
    places.forget(gone);
    places.give(1);
    await turnsPass();
    expect(calls).toEqual([...Array.from({ length: 200 }, () => "idle"), "last"]);
  });
});
