import { describe, expect, it } from "vitest";
import { clientName } from "../../../src/net/client-address.ts";

describe("the name of a client", () => {
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
  ])("at %s is %s", (address, name) => {
    expect(clientName(address)).toBe(name);
  });
});
