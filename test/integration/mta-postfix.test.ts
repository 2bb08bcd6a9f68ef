/** Debian's Postfix with each recipe of contrib/postfix, on unix sockets and on TCP, chrooted and not. */
import { afterAll, beforeAll, expect, it } from "vitest";
import { type MtaWay, mtaCases } from "../../fixtures/mta-cases.ts";
import { MtaRig } from "../../fixtures/servers/mta-rig.ts";
import { Postfix, type PostfixRecipe } from "../../fixtures/servers/postfix.ts";
import { expected, interrupt, type MtaPort, mtaTrials } from "./mta-trials.ts";

const recipes: Readonly<Record<PostfixRecipe, MtaWay>> = {
  relay: "map",
  local: "map",
  virtual: "map",
  access: "access",
  policy: "policy",
};

let rig: MtaRig;
let relay: Postfix;
let ports: readonly MtaPort[] = [];

beforeAll(async () => {
  rig = await MtaRig.create();
  const { port, policyPort } = rig.daemon;
  const started = await Promise.all(
    (Object.entries(recipes) as [PostfixRecipe, MtaWay][]).map(async ([recipe, way]) => {
      const parameters = [
        recipe === "policy" ? `smmapd_policy = inet:127.0.0.1:${policyPort}` : `smmapd = inet:127.0.0.1:${port}`,
      ];
      const services = {
        unix: {},
        tcp: { parameters },
        "chroot-unix": { isChrooted: true },
        "chroot-tcp": { parameters, isChrooted: true },
      };
      const server = await rig.add(({ system }) => Postfix.start(system, recipe, { recipe, services }));
      await rig.daemon.listenIn(server.chrootedSockets);
      if (recipe === "relay") relay = server;
      return Object.entries(server.ports).map(([kind, port]) => ({ name: `${recipe}-${kind}`, way, port }));
    }),
  );
  ports = started.flat();
}, 240_000);

afterAll(() => rig?.close());

mtaTrials(
  () => rig,
  () => ports,
);

it("postmap looks a key up, as it is typed", async () => {
  const map = "socketmap:unix:/run/smmapd/smmap:cyrus";
  expect(await relay.postmap("anna+Lists@example.org", map)).toBe("anna+Lists@example.org\n");
  await expect(relay.postmap("nobody@example.org", map)).rejects.toThrow("exited with 1: ");
  await expect(relay.postmap("dora@example.org", map)).rejects.toThrow("Over quota");
});

it("defers while the daemon is away, and asks it again as soon as it is back", async () => {
  const away = mtaCases.find(({ fault }) => fault === "daemon")?.replies;
  expect(await interrupt(rig, ports)).toEqual(expected(ports, (way) => ["250", away?.[way], "250", "550 5.1.1"]));
});
