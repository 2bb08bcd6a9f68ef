/**
 * A Cyrus murder, asked through its frontend, which answers from a copy of the mupdate master's list of mailboxes and
 * hands questions about quotas to the backends. A mailbox that exists is never answered NOTFOUND.
 */
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from "vitest";
import { type CyrusDaemon, startCyrusDaemon } from "../../fixtures/servers/cyrus-daemon.ts";
import { CyrusMurder, type MurderMember } from "../../fixtures/servers/cyrus-murder.ts";
import { isUnknown, type Truth, TruthLoad } from "../../fixtures/truth-load.ts";
import { absent, askAll, fillMurder, firstTruth, murderTruth, secondTruth, untilTrue } from "./murder-trials.ts";

let murder: CyrusMurder;
let frontend: MurderMember;
let first: MurderMember;
let second: MurderMember;
let daemon: CyrusDaemon;

beforeAll(async () => {
  murder = await CyrusMurder.start();
  frontend = murder.frontend;
  [first, second] = murder.backends;
  await fillMurder(murder);
  daemon = await startCyrusDaemon(frontend.cyrus);
});

afterAll(async () => {
  await daemon?.close();
  await murder?.stop();
});

beforeEach(() => untilTrue(daemon, murderTruth));
afterEach(() => untilTrue(daemon, murderTruth));

/** Those of the replies that are neither true nor say that we cannot tell. */
function wrong(replies: Truth): Truth {
  const entries = Object.entries(replies);
  return Object.fromEntries(entries.filter(([key, reply]) => reply !== murderTruth[key] && !isUnknown(reply)));
}

/** Asks a daemon that has not asked before. */
async function askNewDaemon(member: MurderMember, conf: Readonly<Record<string, string>> = {}): Promise<Truth> {
  const newDaemon = await startCyrusDaemon(member.cyrus, conf);
  try {
    return await askAll(newDaemon, Object.keys(murderTruth));
  } finally {
    await newDaemon.close();
  }
}

it("mailboxes of both backends are answered as they are", async () => {
  expect(await askAll(daemon, Object.keys(murderTruth))).toEqual(murderTruth);
});

it("a new mailbox is found at once, before the frontend's copy has it", async () => {
  const client = await second.cyrus.admin();
  await client.ok('CREATE "user/new"');
  expect(await askAll(daemon, ["new"])).toEqual({ new: "OK new" });
  await client.ok('SETACL "user/new" admin lrswipkxtecda');
  await client.ok('DELETE "user/new"');
  await client.close();
  await untilTrue(daemon, { new: absent });
});

it("a user who moves to the other backend and back is never answered NOTFOUND", async () => {
  const load = new TruthLoad({ path: daemon.path, truth: murderTruth, pause: 40 });
  for (let i = 0; i < 2; i++) {
    await murder.xfer("user/fred", first, second);
    await load.answered(50);
    await murder.xfer("user/fred", second, first);
    await load.answered(50);
  }
  await load.end();
  expect(load.wrongCounts).toEqual({});
});

it("a frontend that lost its list of mailboxes while the mupdate master is away says nothing is absent", async () => {
  murder.slaveLink.refuse();
  await frontend.cyrus.loseMailboxes();
  const replies = [await askAll(daemon, Object.keys(murderTruth)), await askNewDaemon(frontend)];
  murder.slaveLink.resume();
  expect(replies.map(wrong)).toEqual([{}, {}]);
});

it("backends that do not know our account as an administrator make no mailbox absent", async () => {
  const admins = "mailproxy";
  for (const { cyrus } of murder.backends) await restartWith(cyrus, admins);
  const replies = [await askAll(daemon, Object.keys(murderTruth)), await askNewDaemon(frontend)];
  for (const { cyrus } of murder.backends) await restartWith(cyrus, `admin ${admins}`);
  expect(replies.map(wrong)).toEqual([{}, {}]);
});

it("a backend in the place of the frontend is refused, because it knows its own mailboxes alone", async () => {
  expect(wrong(await askNewDaemon(first))).toEqual({});
});

it("one hung backend does not keep the others' mailboxes from being looked up", async () => {
  await first.cyrus.suspend();
  const held = new TruthLoad({ path: daemon.path, truth: firstTruth });
  const load = new TruthLoad({ path: daemon.path, truth: secondTruth });
  await load.answered(400);
  await Promise.all([held.end(), load.end()]);
  await first.cyrus.resume();
  expect({ ...load.wrongCounts, ...held.wrongCounts }).toEqual({});
  expect(load.unknown / load.asked).toBeLessThan(0.1);
});

/** Changes `admins` of a backend. */
async function restartWith(cyrus: MurderMember["cyrus"], admins: string): Promise<void> {
  await cyrus.changeConf("admins", admins);
  await cyrus.stopMaster();
  await cyrus.startMaster();
}
