/** Mailboxes on both backends of a murder, and what is true of them. */
import { setTimeout as delay } from "node:timers/promises";
import { expect } from "vitest";
import type { CyrusDaemon } from "../../fixtures/servers/cyrus-daemon.ts";
import type { CyrusMurder } from "../../fixtures/servers/cyrus-murder.ts";
import { populate } from "../../fixtures/servers/cyrus-population.ts";
import { SocketmapClient } from "../../fixtures/socketmap-client.ts";
import type { Truth } from "../../fixtures/truth-load.ts";

/** Milliseconds in which the truth must be told again. */
const RECOVERY = 20_000;

export const absent = "NOTFOUND Mailbox does not exist";

/** On the first backend. */
export const firstTruth: Truth = {
  fred: "OK fred",
  "fred+Lists": "OK fred+Lists",
  full: "TEMP Over quota",
  "+news": "OK +news",
};
/** On the second. */
export const secondTruth: Truth = {
  mary: "OK mary",
  "mary+Lists": "OK mary+Lists",
  tom: "OK tom",
  "+look": "PERM Permission denied",
};

export const murderTruth: Truth = { ...firstTruth, ...secondTruth, nobody: absent, "+nowhere": absent };

export async function fillMurder({ backends: [first, second] }: CyrusMurder): Promise<void> {
  await populate(first.cyrus, {
    mailboxes: [
      { name: "user/fred" },
      { name: "user/fred/Lists" },
      { name: "user/full", messages: [4096] },
      { name: "news", acl: { anyone: "lrsp" } },
    ],
    quotas: [{ root: "user/full", limits: { STORAGE: 1 } }],
  });
  await populate(second.cyrus, {
    mailboxes: [
      { name: "user/mary" },
      { name: "user/mary/Lists" },
      { name: "user/tom" },
      { name: "look", acl: { anyone: "lrs" } },
    ],
    quotas: [],
  });
}

/** The replies to all keys, asked one by one on a connection. */
export async function askAll(daemon: CyrusDaemon, keys: readonly string[]): Promise<Truth> {
  const client = await SocketmapClient.connect(daemon.path);
  const replies = await client.askAll(keys);
  client.close();
  return Object.fromEntries(keys.map((key, i) => [key, replies[i] ?? ""]));
}

/** Waits until everything is answered truly, and expects that it does not take long. */
export async function untilTrue(daemon: CyrusDaemon, truth: Truth): Promise<void> {
  const start = performance.now();
  for (;;) {
    const replies = await askAll(daemon, Object.keys(truth));
    if (Object.entries(truth).every(([key, reply]) => replies[key] === reply)) return;
    if (performance.now() - start > RECOVERY) {
      expect(replies, daemon.logged.slice(-20).join("\n")).toEqual(truth);
    }
    await delay(50);
  }
}
