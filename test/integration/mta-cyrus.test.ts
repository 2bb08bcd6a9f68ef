/** Mail servers in front of a live Cyrus: its mailboxes are asked for, and mail goes the whole way into them. */
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type MtaWay, mtaCases } from "../../fixtures/mta-cases.ts";
import { Cyrus } from "../../fixtures/servers/cyrus.ts";
import { CyrusClient } from "../../fixtures/servers/cyrus-client.ts";
import { conformanceConf, message, populateConformanceData } from "../../fixtures/servers/cyrus-population.ts";
import { imapConf } from "../../fixtures/servers/cyrus-store.ts";
import { MtaRig, mtaDomains } from "../../fixtures/servers/mta-rig.ts";
import { SmtpClient } from "../../fixtures/servers/smtp-client.ts";
import { inShort, type MtaPort, mtaCaseTrials, rcptAlone, startEach } from "./mta-trials.ts";

const password = "secret";
/** A mailbox for each way, with room for one message. */
const owners: readonly (readonly [way: MtaWay, owner: string])[] = [
  ["sendmail", "sonja"],
  ["sendmailAccess", "samuel"],
  ["map", "moritz"],
  ["access", "agnes"],
  ["policy", "paula"],
  ["exim", "elias"],
];

let cyrus: Cyrus;
let rig: MtaRig;
let ports: readonly MtaPort[] = [];

beforeAll(async () => {
  const users = Object.fromEntries(owners.map(([, owner]) => [owner, password]));
  cyrus = await Cyrus.start({ imapdConf: { ...conformanceConf, defaultdomain: mtaDomains[0] }, users, lmtp: true });
  const admin = await cyrus.admin();
  for (const [, owner] of owners) {
    await admin.ok(`CREATE user/${owner}`);
    await admin.ok(`SETQUOTA user/${owner} (STORAGE 1000 MESSAGE 1)`);
  }
  await admin.close();
  await populateConformanceData(cyrus);
  rig = await MtaRig.create(imapConf(cyrus));
  ports = await startEach(rig, cyrus.lmtpPort);
}, 240_000);

afterAll(async () => {
  await rig?.close();
  await cyrus?.stop();
});

mtaCaseTrials(
  mtaCases.filter(({ recipient, fault }) => recipient.endsWith(`@${mtaDomains[0]}`) && fault === undefined),
  () => rig,
  () => ports,
);

it.each(owners)(
  "%s: a message fills the mailbox of %s, until it is expunged",
  { timeout: 60_000 },
  async (way, owner) => {
    const port = ports.find((each) => each.way === way)?.port ?? 0;
    const recipient = `${owner}@${mtaDomains[0]}`;
    const client = await SmtpClient.begin(port);
    expect(inShort(await client.rcpt(recipient))).toBe("250");
    expect((await client.data(message(5_000))).code).toBe(250);
    await client.quit();

    const mailbox = await CyrusClient.login(cyrus.port, owner, password);
    let usage = await usageOf(mailbox);
    for (; usage.messages === 0; usage = await usageOf(mailbox)) await delay(50);
    expect(usage.kibibytes).toBeGreaterThanOrEqual(5);
    const full = mtaCases.find(({ what }) => what === "over quota")?.replies[way];
    expect(inShort(await rcptAlone(port, recipient))).toBe(full);

    await mailbox.ok("SELECT INBOX");
    await mailbox.ok("STORE 1 +FLAGS (\\Deleted)");
    await mailbox.ok("EXPUNGE");
    expect(await usageOf(mailbox)).toEqual({ messages: 0, kibibytes: 0 });
    expect(inShort(await rcptAlone(port, recipient))).toBe("250");
    await mailbox.close();
  },
);

async function usageOf(mailbox: CyrusClient): Promise<{ readonly messages: number; readonly kibibytes: number }> {
  const quota = (await mailbox.ok("GETQUOTAROOT INBOX")).join("\n");
  const used = (resource: string) => Number(new RegExp(`${resource} (\\d+) `).exec(quota)?.[1]);
  return { messages: used("MESSAGE"), kibibytes: used("STORAGE") };
}
