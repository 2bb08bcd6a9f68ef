/** A real Cyrus that has lost its list of mailboxes, or a part of it, says "Mailbox does not exist" of all that are lost. */
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, it, vi } from "vitest";
import { Cyrus } from "../../fixtures/servers/cyrus.ts";
import { type CyrusDaemon, startCyrusDaemon } from "../../fixtures/servers/cyrus-daemon.ts";
import { populate } from "../../fixtures/servers/cyrus-population.ts";
import { SocketmapClient } from "../../fixtures/socketmap-client.ts";

const users = Array.from({ length: 12 }, (_, i) => `user${i}`);
const absent = ["nobody", "+nowhere", "user0+Nowhere"];
const TEMP = "TEMP Mailbox look-up failed, try again later";
const NOTFOUND = "NOTFOUND Mailbox does not exist";

/** Milliseconds that the clock is put forward by. */
let ahead = 0;
let cyrus: Cyrus;
let daemon: CyrusDaemon;

async function ask(...keys: string[]): Promise<readonly string[]> {
  const client = await SocketmapClient.connect(daemon.path);
  const replies: string[] = [];
  for (const key of keys) replies.push(await client.ask(key));
  client.close();
  return replies;
}

/** Works on the entry of a user's INBOX behind the server's back. */
function database(action: "get" | "set" | "delete", user: string, ...value: string[]): Promise<string> {
  const file = join(cyrus.directory, "conf/mailboxes.db");
  return cyrus.tool("cyr_dbtool", file, "twoskip", action, `Nuser\x1f${user}`, ...value);
}

/** Waits until the daemon is connected again and says the truth. */
async function untilTrue(): Promise<void> {
  await expect.poll(() => ask(...users, ...absent), { timeout: 15_000 }).toEqual(truth);
}

const truth = [...users.map((user) => `OK ${user}`), ...absent.map(() => NOTFOUND)];

beforeAll(async () => {
  const now = performance.now.bind(performance);
  vi.spyOn(performance, "now").mockImplementation(() => now() + ahead);
  cyrus = await Cyrus.start();
  await populate(cyrus, { mailboxes: users.map((user) => ({ name: `user/${user}` })), quotas: [] });
  daemon = await startCyrusDaemon(cyrus);
});

afterAll(async () => {
  vi.restoreAllMocks();
  await daemon?.close();
  await cyrus?.stop();
});

beforeEach(async () => {
  await untilTrue();
  // Users that are found again after a minute are established.
  ahead += 60_000;
  await untilTrue();
});

it("a lost list makes no mailbox absent, until it is back", async () => {
  await cyrus.loseMailboxes();
  expect(await ask(...users, ...absent)).toEqual([...users, ...absent].map(() => TEMP));
  expect(daemon.logged.join("\n")).toMatch(
    /\d of \d mailboxes found earlier no longer exist on 127\.0\.0\.1, such as user\/user/,
  );
  await cyrus.restoreMailboxes();
  await untilTrue();
});

it("half a list makes no mailbox absent, and those that it still holds are answered", async () => {
  const [lost, kept] = [users.slice(0, 6), users.slice(6)];
  await cyrus.stopMaster();
  const entries = new Map<string, string>();
  for (const user of lost) {
    entries.set(user, (await database("get", user)).trimEnd());
    await database("delete", user);
  }
  await cyrus.startMaster();
  expect(await ask(...lost, ...absent)).toEqual([...lost, ...absent].map(() => TEMP));
  expect(await ask(...kept)).toEqual(kept.map((user) => `OK ${user}`));
  for (const [user, entry] of entries) await database("set", user, entry);
  await untilTrue();
});
