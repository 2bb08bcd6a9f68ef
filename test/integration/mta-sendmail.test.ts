/** Debian's sendmail with the FEATURE of contrib/sendmail, on a unix socket and on TCP. */
import { afterAll, beforeAll, expect, it } from "vitest";
import { MtaRig, mtaDomains } from "../../fixtures/servers/mta-rig.ts";
import { Sendmail } from "../../fixtures/servers/sendmail.ts";
import { SmtpClient } from "../../fixtures/servers/smtp-client.ts";
import { eachPort, expected, inShort, interrupt, type MtaPort, mtaTrials, rcptAlone } from "./mta-trials.ts";

let rig: MtaRig;
let server: Sendmail;
let ports: readonly MtaPort[] = [];

beforeAll(async () => {
  rig = await MtaRig.create();
  const sockets = { unix: "local:/run/smmapd/smmap", tcp: `inet:${rig.daemon.port}@127.0.0.1` };
  ports = await Promise.all(
    Object.entries(sockets).map(async ([name, socket]) => {
      server = await rig.add(({ system }) => Sendmail.start(system, name, { socket, domains: mtaDomains }));
      return { name, way: "sendmail", port: server.port } as const;
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
  expect(await server.test(`/map cyrus ${key}`)).toContain(found);
});

it("defers while the daemon is away, and until the end of a session that has seen it away", async () => {
  const found = await interrupt(rig, ports);
  expect(found).toEqual(expected(ports, () => ["250", "451 4.3.0", "451 4.3.0", "451 4.3.0"]));
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
