/** Mail servers in front of a real directory, which also stops in the middle. */
import { afterAll, beforeAll, expect, it } from "vitest";
import { mtaCases } from "../../fixtures/mta-cases.ts";
import {
  conformanceContent,
  mailboxesConf,
  mailboxesServer,
  readerConf,
} from "../../fixtures/servers/ldap-mailboxes.ts";
import { MtaRig, mtaDomains } from "../../fixtures/servers/mta-rig.ts";
import { Slapd } from "../../fixtures/servers/slapd.ts";
import { SmtpClient } from "../../fixtures/servers/smtp-client.ts";
import { expected, inShort, type MtaPort, mtaCaseTrials, startEach } from "./mta-trials.ts";

let slapd: Slapd;
let rig: MtaRig;
let ports: readonly MtaPort[] = [];

beforeAll(async () => {
  slapd = await Slapd.start(mailboxesServer(conformanceContent));
  const where = { smmap_store: "ldap", ldap_uri: slapd.uri, smmap_query_timeout: "1s" };
  rig = await MtaRig.create({ ...where, ...mailboxesConf, ...readerConf });
  ports = await startEach(rig);
}, 240_000);

afterAll(async () => {
  await rig?.close();
  await slapd?.close();
});

mtaCaseTrials(
  // A directory cannot look folders up without case.
  mtaCases.filter(
    ({ recipient, fault, conf }) =>
      recipient.endsWith(`@${mtaDomains[0]}`) && fault === undefined && conf?.smmap_detail_ignore_case === undefined,
  ),
  () => rig,
  () => ports,
);

it("defers while the directory hangs, and takes no late answer for the next recipient's", async () => {
  const sessions = await Promise.all(ports.map(({ port }) => SmtpClient.begin(port)));
  const ask = async (recipient: string) => {
    const replies = sessions.map(async (client, i) => [ports[i]?.name, inShort(await client.rcpt(recipient))] as const);
    return Object.fromEntries(await Promise.all(replies));
  };
  await slapd.hang();
  const deferred = mtaCases.find(({ fault }) => fault === "store")?.replies;
  expect(await ask("nobody@example.org")).toEqual(expected(ports, (way) => deferred?.[way]));
  await slapd.start();
  await rig.daemon.untilReply("anna@example.org", "OK");
  expect(await ask("anna@example.org")).toEqual(expected(ports, () => "250"));
  expect(await ask("nobody@example.org")).toEqual(expected(ports, () => "550 5.1.1"));
  for (const client of sessions) await client.quit();
});
