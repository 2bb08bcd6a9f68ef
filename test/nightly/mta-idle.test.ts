/** SMTP sessions in which nothing happens for longer than Postfix keeps an idle connection to us, which is 10 s. */
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, expect, it } from "vitest";
import { Exim } from "../../fixtures/servers/exim.ts";
import { MtaRig, mtaDomains } from "../../fixtures/servers/mta-rig.ts";
import { Postfix } from "../../fixtures/servers/postfix.ts";
import { Sendmail } from "../../fixtures/servers/sendmail.ts";
import { SmtpClient } from "../../fixtures/servers/smtp-client.ts";
import { inShort } from "../integration/mta-trials.ts";

const IDLE = 15_000;

let rig: MtaRig;
/** Ports of servers that keep their connection for the whole session, and of those that do not. */
const keeping: number[] = [];
const others: number[] = [];

beforeAll(async () => {
  rig = await MtaRig.create();
  const { port, policyPort } = rig.daemon;
  const tcp = { parameters: [`smmapd = inet:127.0.0.1:${port}`, `smmapd_policy = inet:127.0.0.1:${policyPort}`] };
  await Promise.all([
    ...["local:/run/smmapd/smmap", `inet:${port}@127.0.0.1`].map(async (socket, i) => {
      const options = { feature: "smmapd", socket, domains: mtaDomains } as const;
      keeping.push((await rig.add(({ system }) => Sendmail.start(system, `sendmail${i}`, options))).port);
    }),
    ...(["relay", "policy"] as const).map(async (recipe) => {
      const options = { recipe, services: { unix: {}, tcp } };
      others.push(...Object.values((await rig.add(({ system }) => Postfix.start(system, recipe, options))).ports));
    }),
    rig.add(({ system }) => Exim.start(system, "exim", { socket: null })).then(({ port }) => others.push(port)),
  ]);
}, 240_000);

afterAll(() => rig?.close());

it("15 s of silence change nothing", { timeout: 120_000 }, async () => {
  const held = await Promise.all(keeping.map((port) => SmtpClient.begin(port)));
  const sessions = [...held, ...(await Promise.all(others.map((port) => SmtpClient.begin(port))))];
  for (const client of sessions) expect(inShort(await client.rcpt("anna@example.org"))).toBe("250");
  const { opened } = rig.daemon;
  await delay(IDLE);
  for (const client of held) {
    expect(inShort(await client.rcpt("hugo@example.com"))).toBe("250");
    expect(inShort(await client.rcpt("nobody@example.org"))).toBe("550 5.1.1");
  }
  expect(rig.daemon.opened).toBe(opened);
  for (const client of sessions) {
    expect(inShort(await client.rcpt("hugo@example.com"))).toBe("250");
    expect(inShort(await client.rcpt("nobody@example.org"))).toBe("550 5.1.1");
    await client.quit();
  }
});
