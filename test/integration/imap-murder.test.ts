/** A Cyrus murder, asked through its frontend. */
import { afterAll, beforeAll, expect, it } from "vitest";
import { type CyrusDaemon, startCyrusDaemon } from "../../fixtures/servers/cyrus-daemon.ts";
import { CyrusMurder } from "../../fixtures/servers/cyrus-murder.ts";
import { populate } from "../../fixtures/servers/cyrus-population.ts";
import { SocketmapClient } from "../../fixtures/socketmap-client.ts";

let murder: CyrusMurder;
let daemon: CyrusDaemon;

async function ask(key: string): Promise<string> {
  const client = await SocketmapClient.connect(daemon.path);
  const reply = await client.ask(key);
  client.close();
  return reply;
}

beforeAll(async () => {
  murder = await CyrusMurder.start();
  daemon = await startCyrusDaemon(murder.frontend.cyrus);
});

afterAll(async () => {
  await daemon?.close();
  await murder?.stop();
});

it("finds a mailbox of each backend through the frontend", async () => {
  await populate(murder.backends[0].cyrus, { mailboxes: [{ name: "user/fred" }], quotas: [] });
  await populate(murder.backends[1].cyrus, { mailboxes: [{ name: "user/mary" }], quotas: [] });
  expect([await ask("fred"), await ask("mary"), await ask("nobody")]).toEqual([
    "OK fred",
    "OK mary",
    "NOTFOUND Mailbox does not exist",
  ]);
});
