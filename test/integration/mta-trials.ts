/** What every mail server goes through. */
import { expect, it } from "vitest";
import { type MtaCase, type MtaWay, mtaCases } from "../../fixtures/mta-cases.ts";
import { Exim } from "../../fixtures/servers/exim.ts";
import { type MtaRig, mtaDomains } from "../../fixtures/servers/mta-rig.ts";
import { Postfix, type PostfixRecipe } from "../../fixtures/servers/postfix.ts";
import { Sendmail, type SendmailFeature } from "../../fixtures/servers/sendmail.ts";
import { SmtpClient, type SmtpReply } from "../../fixtures/servers/smtp-client.ts";

/** A mail server's port, and what to expect there. */
export interface MtaPort {
  readonly name: string;
  readonly way: MtaWay;
  readonly port: number;
}

/** @param ports of running servers; asked for when the tests run */
export function mtaTrials(rig: () => MtaRig, ports: () => readonly MtaPort[]): void {
  mtaCaseTrials(mtaCases, rig, ports);

  it("200 recipients in one session", async () => {
    const recipients = Array.from({ length: 200 }, (_, i) => plain[i % plain.length] ?? known);
    const found = await eachPort(ports(), ({ port }) => rcptAll(port, recipients));
    expect(found).toEqual(expected(ports(), (way) => recipients.map(({ replies }) => replies[way])));
  });

  it("20 sessions at a time", { timeout: 180_000 }, async () => {
    const sessions = Array.from({ length: 20 }, (_, i) => [...plain.slice(i % plain.length), ...plain]);
    const found = await eachPort(ports(), ({ port }) => Promise.all(sessions.map((each) => rcptAll(port, each))));
    const replies = (way: MtaWay) => sessions.map((each) => each.map((one) => one.replies[way]));
    expect(found).toEqual(expected(ports(), replies));
    // Nothing that a mail server sends is news to the daemon.
    expect(rig().daemon.complaints.filter((line) => !line.startsWith("sqlite: "))).toEqual([]);
  });
}

/** Each of the cases, on all ports. */
export function mtaCaseTrials(cases: readonly MtaCase[], rig: () => MtaRig, ports: () => readonly MtaPort[]): void {
  it.each(cases)("$what: $recipient, $conf, $size", async ({ recipient, conf, size, fault, replies }) => {
    await rig().daemon.configure(conf ?? {});
    if (fault === "store") await rig().breakStore();
    if (fault === "daemon") await rig().daemon.stop();
    try {
      const found = await eachPort(ports(), async ({ port }) => inShort(await rcptAlone(port, recipient, size)));
      expect(found).toEqual(expected(ports(), (way) => replies[way]));
    } finally {
      if (fault === "store") await rig().mendStore();
      if (fault === "daemon") await rig().daemon.start();
      await rig().daemon.configure({});
    }
  });
}

/**
 * In one session: a good recipient, the same while the daemon is away, the same and an unknown one when it is back.
 * Replies by the ports' names.
 */
export async function interrupt(
  { daemon }: MtaRig,
  ports: readonly MtaPort[],
): Promise<Readonly<Record<string, readonly string[]>>> {
  const sessions = await Promise.all(ports.map(({ port }) => SmtpClient.begin(port)));
  const ask = (recipient: string) =>
    Promise.all(sessions.map(async (client) => inShort(await client.rcpt(`${recipient}@example.org`))));
  const replies = [await ask("anna")];
  await daemon.stop();
  replies.push(await ask("anna"));
  await daemon.start();
  replies.push(await ask("anna"), await ask("nobody"));
  for (const client of sessions) client.close();
  return Object.fromEntries(ports.map(({ name }, i) => [name, replies.map((each) => each[i] ?? "")]));
}

/** Cases that the daemon need not be prepared for. */
const plain = mtaCases.filter(({ conf, size, fault }) => conf === undefined && size === undefined && !fault);
const [known] = plain as [(typeof plain)[number]];

/** Replies to recipients of one message. */
async function rcptAll(port: number, cases: readonly { readonly recipient: string }[]): Promise<readonly string[]> {
  const client = await SmtpClient.begin(port);
  const replies: string[] = [];
  for (const { recipient } of cases) replies.push(inShort(await client.rcpt(recipient)));
  await client.quit();
  return replies;
}

/** One mail server for each way to ask, on a unix socket. @param lmtpPort of a server that takes the mail */
export async function startEach(rig: MtaRig, lmtpPort?: number): Promise<readonly MtaPort[]> {
  const mainCf = lmtpPort === undefined ? [] : [`relay_transport = lmtp:inet:127.0.0.1:${lmtpPort}`];
  const postfix = async (recipe: PostfixRecipe) => {
    const options = { recipe, mainCf, services: { smtp: {} } };
    return (await rig.add(({ system }) => Postfix.start(system, recipe, options))).ports.smtp ?? 0;
  };
  const rest = lmtpPort === undefined ? {} : { lmtpPort };
  const sendmail = async (feature: SendmailFeature) => {
    const options = { feature, socket: "local:/run/smmapd/smmap", domains: mtaDomains, ...rest };
    return (await rig.add(({ system }) => Sendmail.start(system, feature, options))).port;
  };
  const starts: Readonly<Record<MtaWay, () => Promise<number>>> = {
    sendmail: () => sendmail("smmapd"),
    sendmailAccess: () => sendmail("smmapd_access"),
    map: () => postfix("relay"),
    access: () => postfix("access"),
    policy: () => postfix("policy"),
    exim: async () => {
      const options = { socket: null, ...rest } as const;
      return (await rig.add(({ system }) => Exim.start(system, "exim", options))).port;
    },
  };
  const entries = Object.entries(starts) as [MtaWay, () => Promise<number>][];
  return Promise.all(entries.map(async ([way, start]) => ({ name: way, way, port: await start() })));
}

/** The reply to a recipient in a session of its own. */
export async function rcptAlone(port: number, recipient: string, size?: number): Promise<SmtpReply> {
  const client = await SmtpClient.begin(port, size);
  const reply = await client.rcpt(recipient);
  await client.quit();
  return reply;
}

/** As in MtaReplies. */
export function inShort({ code, enhanced }: SmtpReply): string {
  return code < 300 ? String(code) : `${code} ${enhanced}`.trim();
}

/** Results by the ports' names. */
export async function eachPort<T>(
  ports: readonly MtaPort[],
  ask: (port: MtaPort) => Promise<T>,
): Promise<Readonly<Record<string, T>>> {
  return Object.fromEntries(await Promise.all(ports.map(async (port) => [port.name, await ask(port)] as const)));
}

export function expected<T>(ports: readonly MtaPort[], of: (way: MtaWay) => T): Readonly<Record<string, T>> {
  return Object.fromEntries(ports.map(({ name, way }) => [name, of(way)]));
}
