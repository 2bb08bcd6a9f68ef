/** Debian's sendmail with each FEATURE of contrib/sendmail, on a unix socket and on TCP. */
import { afterAll, beforeAll, expect, it } from "vitest";
import type { MtaWay } from "../../fixtures/mta-cases.ts";
import { MtaRig, mtaDomains } from "../../fixtures/servers/mta-rig.ts";
import { Sendmail, type SendmailFeature } from "../../fixtures/servers/sendmail.ts";
import { SmtpClient } from "../../fixtures/servers/smtp-client.ts";
import { eachPort, expected, inShort, interrupt, type MtaPort, mtaTrials, rcptAlone } from "./mta-trials.ts";

const features: Readonly<Record<SendmailFeature, MtaWay>> = { smmapd: "sendmail", smmapd_access: "sendmailAccess" };

let rig: MtaRig;
let tested: Sendmail;
let ports: readonly MtaPort[] = [];

beforeAll(async () => {
  rig = await MtaRig.create();
  const sockets = { unix: "local:/run/smmapd/smmap", tcp: `inet:${rig.daemon.port}@127.0.0.1` };
  const all = Object.entries(features).flatMap(([feature, way]) =>
    Object.entries(sockets).map(([kind, socket]) => ({ feature: feature as SendmailFeature, way, kind, socket })),
  );
  ports = await Promise.all(
    all.map(async ({ feature, way, kind, socket }) => {
      const name = `${feature}-${kind}`;
      const options = { feature, socket, domains: mtaDomains };
      const server = await rig.add(({ system }) => Sendmail.start(system, name, options));
      if (feature === "smmapd") tested = server;
      return { name, way, port: server.port };
    }),
  );
});

afterAll(() => rig?.close());

mtaTrials(
  () => rig,
  () => ports,
);

it.each([
  ["anna@example.org", "returns anna@example.org<OK> (0)"],
  ["nobody@example.org", "no match (68)"],
  ["dora@example.org", "no match (75)"],
])("sendmail -bt looks %s up: %s", async (key, found) => {
  expect(await tested.test(`/map cyrus ${key}`)).toContain(found);
});

it("defers while the daemon is away, and until the end of a session that could not connect", async () => {
  const found = await interrupt(rig, ports);
  // One look-up finds the old connection broken. The second one, for the probe, finds nobody to connect to.
  const back = (way: MtaWay) => (way === "sendmail" ? ["451 4.3.0", "451 4.3.0"] : ["250", "550 5.1.1"]);
  expect(found).toEqual(expected(ports, (way) => ["250", "451 4.3.0", ...back(way)]));
  const next = await eachPort(ports, ({ port }) => rcptAlone(port, "anna@example.org").then(inShort));
  expect(next).toEqual(expected(ports, () => "250"));
});

it("defers one recipient when the daemon was started anew", async () => {
  const sessions = await Promise.all(ports.map(({ port }) => SmtpClient.begin(port)));
  for (const client of sessions) await client.rcpt("anna@example.org");
  await rig.daemon.stop();
  await rig.daemon.start();
  for (const client of sessions) {
    expect((await client.rcpt("anna@example.org")).code).toBeOneOf([451, 452]);
    expect((await client.rcpt("anna@example.org")).code).toBe(250);
    await client.quit();
  }
});
