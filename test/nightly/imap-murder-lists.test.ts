/**
 * Lists of mailboxes of a Cyrus murder that are lost, in part or wholly, and come back, while mail servers ask: nothing
 * that was found before is answered NOTFOUND, and nothing at all where the list is empty.
 */
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, beforeEach, expect, it } from "vitest";
import { type CyrusDaemon, startCyrusDaemon } from "../../fixtures/servers/cyrus-daemon.ts";
import { CyrusMurder, mupdateClient } from "../../fixtures/servers/cyrus-murder.ts";
import { MupdateClient } from "../../fixtures/servers/mupdate-client.ts";
import { TruthLoad } from "../../fixtures/truth-load.ts";
import { askAll, fillMurder, murderTruth, untilTrue } from "../integration/murder-trials.ts";

/** Entries that the frontend takes a second or more to fetch. */
const MANY = 5_000;

let murder: CyrusMurder;
let daemon: CyrusDaemon;

beforeAll(async () => {
  murder = await CyrusMurder.start();
  await fillMurder(murder);
  daemon = await startCyrusDaemon(murder.frontend.cyrus);
  // Users that were found twice with a minute between are established: a part of the list that is lost shows by them.
  await untilTrue(daemon, murderTruth);
  await delay(61_000);
});

afterAll(async () => {
  await daemon?.close();
  await murder?.stop();
});

beforeEach(() => untilTrue(daemon, murderTruth));

it("a long list is fetched anew by the frontend", { timeout: 120_000 }, async () => {
  const client = await MupdateClient.login(murder.mupdate.cyrus.port, mupdateClient);
  const users = Array.from({ length: MANY }, (_, i) => `user${i}`);
  await client.activate(users, murder.backends[1].cyrus.serverName);
  client.close();
  for (let i = 0; i < 3; i++) {
    await untilTrue(daemon, murderTruth);
    const load = new TruthLoad({ path: daemon.path, truth: murderTruth });
    await murder.frontend.cyrus.loseMailboxes();
    // It has found nothing yet, so no mailbox is known to it.
    const newDaemon = await startCyrusDaemon(murder.frontend.cyrus);
    const newLoad = new TruthLoad({ path: newDaemon.path, truth: murderTruth });
    await Promise.all([untilTrue(daemon, murderTruth), untilTrue(newDaemon, murderTruth)]);
    await Promise.all([load.end(), newLoad.end()]);
    await newDaemon.close();
    expect([load.wrongCounts, newLoad.wrongCounts]).toEqual([{}, {}]);
  }
});

// While entries come or go one after another, each that is missing looks deleted (docs/differences.md). So the next two
// ask when the frontend has followed.

it("the mupdate master loses its list, and backend after backend fills it", { timeout: 60_000 }, async () => {
  const [first, second] = murder.backends;
  await murder.mupdate.cyrus.loseMailboxes();
  await frontendLists(0);
  expect(await wrongAnswers()).toEqual({});
  await first.cyrus.tool("ctl_mboxlist", "-m");
  await frontendLists(2);
  expect(await wrongAnswers()).toEqual({});
  await second.cyrus.tool("ctl_mboxlist", "-m");
  await untilTrue(daemon, murderTruth);
});

it("a backend loses its list, and tells the mupdate master that it has no mailboxes", { timeout: 60_000 }, async () => {
  await murder.backends[0].cyrus.loseMailboxes();
  await frontendLists(2);
  // Established users are asked for in turn: until the turn comes to one that is lost, others of that part look deleted.
  for (let i = 0; i < 8; i++) await askAll(daemon, ["nobody"]);
  expect(await wrongAnswers()).toEqual({});
  await murder.backends[0].cyrus.restoreMailboxes();
  await untilTrue(daemon, murderTruth);
});

/** Waits until the frontend lists so many of the users' mailboxes that lie on the backends, two on each. */
async function frontendLists(count: number): Promise<void> {
  const client = await murder.frontend.cyrus.admin();
  const listed = async () => {
    const responses = await Promise.all(
      ["fred", "full", "mary", "tom"].map((user) => client.ok(`LIST "" "user/${user}"`)),
    );
    return responses.flat().length;
  };
  await expect.poll(listed, { timeout: 20_000, interval: 100 }).toBe(count);
  await client.close();
}

async function wrongAnswers(): Promise<Readonly<Record<string, number>>> {
  const load = new TruthLoad({ path: daemon.path, truth: murderTruth });
  await load.answered(300);
  await load.end();
  return load.wrongCounts;
}
