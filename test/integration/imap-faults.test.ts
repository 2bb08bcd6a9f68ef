/**
 * What mail servers are told while the Cyrus behind us is killed, stopped, hung, cut off and changed: the truth or that
 * we cannot tell, always in time, and the truth again soon afterwards. The whole daemon runs with default settings.
 */
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from "vitest";
import { Cyrus, cyrusAdmin } from "../../fixtures/servers/cyrus.ts";
import type { CyrusClient } from "../../fixtures/servers/cyrus-client.ts";
import { type CyrusDaemon, startCyrusDaemon } from "../../fixtures/servers/cyrus-daemon.ts";
import { populate } from "../../fixtures/servers/cyrus-population.ts";
import { TcpProxy } from "../../fixtures/servers/tcp-proxy.ts";
import { SocketmapClient } from "../../fixtures/socketmap-client.ts";

/** Keys and what is true of them. */
const truth: Readonly<Record<string, string>> = {
  fred: "OK fred",
  "fred+Lists": "OK fred+Lists",
  full: "TEMP Over quota",
  nobody: "NOTFOUND Mailbox does not exist",
  "+news": "OK +news",
  "+news/look": "PERM Permission denied",
  "+nowhere": "NOTFOUND Mailbox does not exist",
};
const keys = Object.keys(truth);
const unknown = [
  "TEMP Mailbox look-up failed, try again later",
  "TIMEOUT Mailbox look-up took too long, try again later",
];
/** Milliseconds: smmap_query_timeout by default, and what a busy machine may add to it. */
const DEADLINE = 4_000 + 2_000;
/** Milliseconds in which the truth must be told again. */
const RECOVERY = 10_000;

let cyrus: Cyrus;
let proxy: TcpProxy;
let daemon: CyrusDaemon;
let load: Load;

/** Mail servers that go on asking all the while. */
class Load {
  readonly wrong: string[] = [];
  /** Milliseconds. */
  slowest = 0;
  #asked = 0;
  #isOver = false;
  readonly #lanes: Promise<void>[];

  constructor(path: string) {
    this.#lanes = Array.from({ length: 8 }, (_, lane) => this.#ask(path, lane));
  }

  /** Resolves when so many more requests were answered. */
  async answered(count: number): Promise<void> {
    const goal = this.#asked + count;
    while (this.#asked < goal) await delay(5);
  }

  async end(): Promise<void> {
    this.#isOver = true;
    await Promise.all(this.#lanes);
  }

  async #ask(path: string, lane: number): Promise<void> {
    const client = await SocketmapClient.connect(path);
    for (let i = lane; !this.#isOver; i++) {
      const key = keys[i % keys.length] ?? "";
      const start = performance.now();
      const reply = await client.ask(key);
      this.slowest = Math.max(this.slowest, performance.now() - start);
      if (reply !== truth[key] && !unknown.includes(reply)) this.wrong.push(`${key}: ${reply}`);
      this.#asked++;
      // A dead server is answered for at once; so many answers would be nothing but heat.
      if (unknown.includes(reply)) await delay(10);
    }
    client.close();
  }
}

async function ask(key: string): Promise<string> {
  const client = await SocketmapClient.connect(daemon.path);
  const reply = await client.ask(key);
  client.close();
  return reply;
}

/** Waits until everything is answered truly, and expects that it does not take long. */
async function recovered(): Promise<void> {
  const start = performance.now();
  for (;;) {
    const replies = await Promise.all(keys.map(async (key) => [key, await ask(key)] as const));
    if (replies.every(([key, reply]) => reply === truth[key])) break;
    expect(
      performance.now() - start,
      `${JSON.stringify(replies)}\n${daemon.logged.slice(-20).join("\n")}`,
    ).toBeLessThan(RECOVERY);
    await delay(20);
  }
}

/** Waits until everything is answered that it cannot be told. */
async function silenced(): Promise<void> {
  while (!unknown.includes(await ask("fred"))) await delay(20);
}

async function withAdmin(body: (client: CyrusClient) => Promise<void>): Promise<void> {
  const client = await cyrus.admin();
  await body(client);
  await client.close();
}

beforeAll(async () => {
  cyrus = await Cyrus.start();
  await populate(cyrus, {
    mailboxes: [
      { name: "user/fred" },
      { name: "user/fred/Lists" },
      { name: "user/full", messages: [4096] },
      { name: "news", acl: { anyone: "lrsp" } },
      { name: "news/look", acl: { anyone: "lrs" } },
    ],
    quotas: [{ root: "user/full", limits: { STORAGE: 1 } }],
  });
  proxy = await TcpProxy.start(cyrus.port);
  daemon = await startCyrusDaemon(cyrus, { smmap_imap_server: `127.0.0.1:${proxy.port}` });
});

afterAll(async () => {
  await daemon?.close();
  await proxy?.close();
  await cyrus?.stop();
});

beforeEach(async () => {
  await recovered();
  load = new Load(daemon.path);
  await load.answered(50);
});

afterEach(async () => {
  await load.end();
  expect(load.wrong).toEqual([]);
  expect(load.slowest).toBeLessThan(DEADLINE);
});

it("an imapd is killed under a client, again and again", async () => {
  for (let i = 0; i < 10; i++) {
    for (const pid of await cyrus.busyImapds()) process.kill(pid, "SIGKILL");
    await load.answered(20);
  }
  await recovered();
});

it("connections are reset", async () => {
  for (let i = 0; i < 20; i++) {
    proxy.reset();
    await load.answered(10);
  }
  await recovered();
});

it("master is stopped and started", async () => {
  await cyrus.stopMaster();
  await silenced();
  await load.answered(200);
  await cyrus.startMaster();
  await recovered();
});

it("everything hangs, and goes on", async () => {
  await cyrus.suspend();
  await silenced();
  await load.answered(50);
  await cyrus.resume();
  await recovered();
});

it("one imapd hangs, and others do not", async () => {
  const pids = await cyrus.busyImapds();
  for (const pid of pids) process.kill(pid, "SIGSTOP");
  await silenced();
  await recovered();
  for (const pid of pids) process.kill(pid, "SIGCONT");
});

it("the password changes, and changes back, which is noticed at once by a store that is opened anew", async () => {
  await cyrus.setPassword(cyrusAdmin.name, "another");
  proxy.reset();
  await silenced();
  await load.answered(50);
  const complaints = daemon.logged.filter((line) => /login of admin refused.*next login in 30 s/.test(line));
  expect(complaints.length).toBe(1);
  await cyrus.setPassword(cyrusAdmin.name, cyrusAdmin.password);
  // As after a reload; by itself the store would try again after 30 s.
  await load.end();
  await daemon.close();
  daemon = await startCyrusDaemon(cyrus, { smmap_imap_server: `127.0.0.1:${proxy.port}` });
  await recovered();
});

it("mailboxes, rights and quotas change while we run", async () => {
  await withAdmin(async (client) => {
    await client.ok('CREATE "user/mary"');
    expect(await ask("mary")).toBe("OK mary");
    await client.ok('SETQUOTA "user/mary" (MESSAGE 0)');
    expect(await ask("mary")).toBe("TEMP Over quota");
    await client.ok('SETQUOTA "user/mary" (MESSAGE 1)');
    expect(await ask("mary")).toBe("OK mary");
    await client.ok('SETQUOTA "user/mary" ()');
    await client.ok('CREATE "user/mary/Old"');
    await client.ok('SETACL "user/mary/Old" admin lrswipkxtecda');
    await client.ok('RENAME "user/mary/Old" "user/mary/New"');
    expect([await ask("mary+Old"), await ask("mary+New")]).toEqual(["NOTFOUND Mailbox does not exist", "OK mary+New"]);
    await client.ok('CREATE "offers"');
    await client.ok('SETACL "offers" anyone p');
    expect(await ask("+offers")).toBe("OK +offers");
    await client.ok('SETACL "offers" -anonymous p');
    expect(await ask("+offers")).toBe("NOTFOUND Mailbox does not exist");
    await client.ok('DELETEACL "offers" -anonymous');
    await client.ok('SETACL "offers" anyone lrs');
    expect(await ask("+offers")).toBe("PERM Permission denied");
    await client.ok('SETACL "user/mary" admin lrswipkxtecda');
    await client.ok('DELETE "user/mary"');
    expect(await ask("mary")).toBe("NOTFOUND Mailbox does not exist");
  });
});
