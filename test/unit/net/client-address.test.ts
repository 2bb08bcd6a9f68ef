import { describe, expect, it } from "vitest";
import { clientName, NetworkCounts, networkOf } from "../../../src/net/client-address.ts";

describe("clientName", () => {
  it.each([
    [undefined, "[unix socket]"],
    ["127.0.0.1", "localhost [127.0.0.1]"],
    ["127.0.1.1", "localhost [127.0.1.1]"],
    ["::1", "localhost [::1]"],
    ["::ffff:127.0.0.1", "localhost [127.0.0.1]"],
    ["::ffff:192.0.2.25", "[192.0.2.25]"],
    ["192.0.2.25", "[192.0.2.25]"],
    ["2001:db8::1", "[2001:db8::1]"],
    ["fe80::1%eth0", "[fe80::1%eth0]"],
  ])("names a client at %s %s", (address, name) => {
    expect(clientName(address)).toBe(name);
  });
});

describe("networkOf", () => {
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
  ])("assigns the address %s to the network %s", (address, network) => {
    expect(networkOf(address)).toBe(network);
  });
});

describe("NetworkCounts", () => {
  it("counts the connections of each network and ignores those without one", () => {
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
