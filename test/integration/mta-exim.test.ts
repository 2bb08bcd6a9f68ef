/** Debian's Exim with the routers of contrib/exim, on a unix socket and on TCP. */
import { afterAll, beforeAll, expect, it } from "vitest";
import { Exim } from "../../fixtures/servers/exim.ts";
import { MtaRig } from "../../fixtures/servers/mta-rig.ts";
import { eachPort, expected, inShort, interrupt, type MtaPort, mtaTrials, rcptAlone } from "./mta-trials.ts";

let rig: MtaRig;
let server: Exim;
let ports: readonly MtaPort[] = [];

beforeAll(async () => {
  rig = await MtaRig.create();
  const sockets = { unix: null, tcp: `inet:127.0.0.1:${rig.daemon.port}` };
  ports = await Promise.all(
    Object.entries(sockets).map(async ([name, socket]) => {
      server = await rig.add(({ system }) => Exim.start(system, name, { socket }));
      return { name, way: "exim", port: server.port } as const;
    }),
  );
});

afterAll(() => rig?.close());

mtaTrials(
  () => rig,
  () => ports,
);

it("exim -be looks a key up", async () => {
  const lookup = "$" + "{readsocket{/run/smmapd/smmap}{22:cyrus anna@example.org,}{3s}{}{none}}";
  expect(await server.expand(lookup)).toBe("19:OK anna@example.org,\n");
});

it("defers while the daemon is away, and asks it again as soon as it is back", async () => {
  const overTcp = ports.filter(({ name }) => name.endsWith("tcp"));
  expect(await interrupt(rig, overTcp)).toEqual(expected(overTcp, () => ["250", "451 4.3.0", "250", "550 5.1.1"]));
});

it("defers over a unix socket until the end of a session that has seen the daemon away", async () => {
  const overUnix = ports.filter(({ name }) => name.endsWith("unix"));
  // So does Exim 4.96: after a failed connection it takes the next one for failed, too, and then ends the session.
  expect(await interrupt(rig, overUnix)).toEqual(expected(overUnix, () => ["250", "451 4.3.0", "451 4.3.0", "421"]));
  const next = await eachPort(overUnix, ({ port }) => rcptAlone(port, "anna@example.org").then(inShort));
  expect(next).toEqual(expected(overUnix, () => "250"));
});
