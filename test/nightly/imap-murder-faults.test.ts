/**
 * What mail servers are told while one part of a Cyrus murder after another is killed, hung and cut off: the truth or
 * that we cannot tell, in time, and the truth again afterwards. The daemon asks the frontend, with default settings.
 */
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from "vitest";
import { type CyrusDaemon, startCyrusDaemon } from "../../fixtures/servers/cyrus-daemon.ts";
import { CyrusMurder, type MurderMember } from "../../fixtures/servers/cyrus-murder.ts";
import { TruthLoad } from "../../fixtures/truth-load.ts";
import { fillMurder, murderTruth, untilTrue } from "../integration/murder-trials.ts";

/** Milliseconds: smmap_query_timeout by default, and what a busy machine may add to it. */
const DEADLINE = 4_000 + 2_000;

let murder: CyrusMurder;
let daemon: CyrusDaemon;
let load: TruthLoad;

const parts: Readonly<Record<string, () => MurderMember>> = {
  "the mupdate master": () => murder.mupdate,
  "the frontend": () => murder.frontend,
  "the first backend": () => murder.backends[0],
  "the second backend": () => murder.backends[1],
};
const names = Object.keys(parts);

function part(name: string): MurderMember {
  const member = parts[name]?.();
  if (member === undefined) throw new Error(`${name} is no part of the murder`);
  return member;
}

beforeAll(async () => {
  murder = await CyrusMurder.start();
  await fillMurder(murder);
  daemon = await startCyrusDaemon(murder.frontend.cyrus, {
    smmap_imap_server: `127.0.0.1:${murder.frontend.link.port}`,
  });
});

afterAll(async () => {
  await daemon?.close();
  await murder?.stop();
});

beforeEach(async () => {
  await untilTrue(daemon, murderTruth);
  load = new TruthLoad({ path: daemon.path, truth: murderTruth });
  await load.answered(50);
});

afterEach(async () => {
  await load.end();
  expect(load.wrongCounts).toEqual({});
  expect(load.slowest).toBeLessThan(DEADLINE);
});

it.each(names)("%s is killed and started again", { timeout: 60_000 }, async (name) => {
  const { cyrus } = part(name);
  await cyrus.kill();
  await load.answered(200);
  await cyrus.startMaster();
  await untilTrue(daemon, murderTruth);
});

it.each(names)("%s hangs and goes on", { timeout: 60_000 }, async (name) => {
  const { cyrus } = part(name);
  await cyrus.suspend();
  await load.answered(60);
  await cyrus.resume();
  await untilTrue(daemon, murderTruth);
});

it.each(names)("%s cannot be reached for a while", { timeout: 60_000 }, async (name) => {
  const { link } = part(name);
  link.silence();
  await load.answered(60);
  link.resume();
  await untilTrue(daemon, murderTruth);
});

it.each(names)("connections to %s are reset again and again", { timeout: 60_000 }, async (name) => {
  const { link } = part(name);
  for (let i = 0; i < 20; i++) {
    link.reset();
    await load.answered(10);
  }
  await untilTrue(daemon, murderTruth);
});

it.each(["SIGKILL", "SIGSTOP"] as const)(
  "the frontend's mupdate slave gets %s",
  { timeout: 60_000 },
  async (signal) => {
    const slaves = await mupdateSlaves();
    for (const pid of slaves) process.kill(pid, signal);
    await load.answered(60);
    for (const pid of slaves) if (signal === "SIGSTOP") process.kill(pid, "SIGCONT");
    await untilTrue(daemon, murderTruth);
  },
);

/** Waits until there is one, for master takes a moment to replace one that was killed. */
async function mupdateSlaves(): Promise<readonly number[]> {
  for (;;) {
    const services = await murder.frontend.cyrus.services();
    const slaves = services.filter(({ program }) => program.endsWith("/mupdate")).map(({ pid }) => pid);
    if (slaves.length > 0) return slaves;
    await delay(20);
  }
}
