/**
 * Mailboxes of a Cyrus murder that are on the move while mail servers ask for them 200 times a second, and what a
 * frontend cannot know.
 */
import { afterAll, beforeAll, beforeEach, expect, it } from "vitest";
import { type CyrusDaemon, startCyrusDaemon } from "../../fixtures/servers/cyrus-daemon.ts";
import { CyrusMurder } from "../../fixtures/servers/cyrus-murder.ts";
import { TruthLoad } from "../../fixtures/truth-load.ts";
import { absent, askAll, fillMurder, firstTruth, murderTruth, untilTrue } from "../integration/murder-trials.ts";

let murder: CyrusMurder;
let daemon: CyrusDaemon;

beforeAll(async () => {
  murder = await CyrusMurder.start();
  await fillMurder(murder);
  daemon = await startCyrusDaemon(murder.frontend.cyrus);
});

afterAll(async () => {
  await daemon?.close();
  await murder?.stop();
});

beforeEach(() => untilTrue(daemon, murderTruth));

const { fred, "fred+Lists": lists, mary } = murderTruth;
const existing = { fred, "fred+Lists": lists, mary } as Record<string, string>;

it.each([
  ["known addresses alone, so that the frontend's copy is old for seconds", existing],
  ["unknown addresses as well, which make the frontend fetch what is new", murderTruth],
])("a user moves to and fro under %s", { timeout: 120_000 }, async (_what, truth) => {
  const [first, second] = murder.backends;
  const load = new TruthLoad({ path: daemon.path, truth, pause: 40 });
  for (let i = 0; i < 6; i++) {
    await murder.xfer("user/fred", ...(i % 2 === 0 ? ([first, second] as const) : ([second, first] as const)));
    await load.answered(400);
  }
  await load.end();
  await untilTrue(daemon, truth);
  expect(load.wrongCounts).toEqual({});
});

it("a user is over quota before, while and after being moved", { timeout: 60_000 }, async () => {
  const [first, second] = murder.backends;
  await murder.xfer("user/full", first, second);
  await untilTrue(daemon, murderTruth);
  await murder.xfer("user/full", second, first);
  await untilTrue(daemon, murderTruth);
});

it("a move that broke off half-way leaves no mailbox absent", { timeout: 60_000 }, async () => {
  const [first, second] = murder.backends;
  const client = await first.cyrus.admin();
  // 3.6.1 cannot move shared folders: its imapd aborts when the folder has been deactivated, and it stays reserved.
  await expect(client.ok(`XFER "news" "${second.cyrus.serverName}"`)).rejects.toThrow("closed");
  const load = new TruthLoad({ path: daemon.path, truth: murderTruth, pause: 40 });
  await load.answered(1_500);
  await load.end();
  expect(load.wrongCounts).toEqual({});
  await first.cyrus.tool("ctl_mboxlist", "-m");
  await untilTrue(daemon, murderTruth);
});

it("a mailbox made while the frontend is cut off from the mupdate master is NOTFOUND until it is not", async () => {
  murder.slaveLink.refuse();
  const client = await murder.backends[1].cyrus.admin();
  await client.ok('CREATE "user/late"');
  await client.close();
  // docs/differences.md names this: over IMAP the frontend says the same of every address that does not exist.
  await expect
    .poll(() => askAll(daemon, ["late", ...Object.keys(firstTruth)]))
    .toEqual({ late: absent, ...firstTruth });
  murder.slaveLink.resume();
  await untilTrue(daemon, { late: "OK late" });
});
