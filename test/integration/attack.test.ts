/** Unknown names, never the same twice, from many connections: true replies to everybody, in bounded memory. */
import { readFileSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Daemon, DaemonFolder } from "../../fixtures/daemon.ts";
import { conformancePopulation } from "../../fixtures/memory-store.ts";
import {
  conformanceContent,
  mailboxesConf,
  mailboxesServer,
  readerConf,
} from "../../fixtures/servers/ldap-mailboxes.ts";
import { Slapd } from "../../fixtures/servers/slapd.ts";
import { TcpProxy } from "../../fixtures/servers/tcp-proxy.ts";
import { SocketmapClient } from "../../fixtures/socketmap-client.ts";
import { createNativePopulation } from "../../fixtures/sqlite-database.ts";

const NAMES = 50_000;
const ATTACKERS = 50;
/** Names that one of them asks for at once. */
const BATCH = 10;
/** Octets that an attack may add to the daemon. */
const MEMORY_MAX = 96 * 2 ** 20;
const absent = "NOTFOUND Mailbox does not exist";
/** Who may get mail in the village. */
const users = ["anna@village.example", "anna+Lists@village.example", "bert@village.example", "hugo@hill.example"];

let folder: DaemonFolder;
let daemon: Daemon | null;
let clients: SocketmapClient[];

beforeEach(() => {
  folder = new DaemonFolder();
  daemon = null;
  clients = [];
});

afterEach(async () => {
  for (const client of clients) client.close();
  await daemon?.kill();
  folder.remove();
});

async function start(conf: Readonly<Record<string, string>>): Promise<Daemon> {
  const lines = Object.entries({ virtdomains: "userid", defaultdomain: "village.example", ...conf });
  folder.configure(lines.map(([key, value]) => `${key}: ${value}`).join("\n"));
  daemon = await Daemon.start(folder);
  return daemon;
}

async function connect(): Promise<SocketmapClient> {
  const client = await SocketmapClient.connect(folder.socket);
  clients.push(client);
  return client;
}

let asked = 0;

/** Of people, and of folders of somebody who is there. */
function unknownName(): string {
  const number = asked++;
  return number % 2 === 0 ? `nobody${number}@village.example` : `anna+nowhere${number}@village.example`;
}

/** Asks for so many unknown names from all connections, and all the time for users. Gives every reply that was not OK. */
async function attack(names: number): Promise<string[]> {
  const replies: string[] = [];
  const attackers = Array.from({ length: ATTACKERS }, async () => {
    const client = await connect();
    for (let rest = names / ATTACKERS; rest > 0; rest -= BATCH) {
      replies.push(...(await client.askAll(Array.from({ length: Math.min(BATCH, rest) }, unknownName))));
    }
    client.close();
  });
  await serveUsers(Promise.all(attackers));
  return replies;
}

/** Asks for users until something is done: at least once, and each time they must get their mail. */
async function serveUsers(something: Promise<unknown>): Promise<void> {
  let isDone = false;
  const client = await connect();
  const serve = async () => {
    do {
      expect(await client.askAll(users)).toEqual(users.map((key) => `OK ${key}`));
    } while (!isDone);
    client.close();
  };
  const end = () => {
    isDone = true;
  };
  await Promise.all([something.finally(end), serve()]);
}

/** Octets of the daemon's own memory, and its part of what it shares. */
function memoryOf({ pid }: Daemon): number {
  const [, kibibytes] = /^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, "latin1")) ?? [];
  expect(kibibytes).toBeDefined();
  return Number(kibibytes) * 1024;
}

async function expectToEndure(attacked: Daemon): Promise<void> {
  await attack(ATTACKERS * BATCH);
  const before = memoryOf(attacked);
  const replies = await attack(NAMES);
  expect(replies).toHaveLength(NAMES);
  expect(new Set(replies)).toEqual(new Set([absent]));
  expect(memoryOf(attacked) - before).toBeLessThan(MEMORY_MAX);
}

describe("under attack", () => {
  it("SQLite answers everybody truly", async () => {
    createNativePopulation(folder.at("village.db"), conformancePopulation);
    await expectToEndure(await start({ smmap_store: "sqlite", sql_database: folder.at("village.db") }));
  }, 120_000);

  it("LDAP does, and while it is silent users are answered from the cache, and nobody is said to be absent", async () => {
    const slapd = await Slapd.start(mailboxesServer(conformanceContent));
    const proxy = await TcpProxy.start(slapd.port);
    try {
      const attacked = await start({
        ...mailboxesConf,
        ...readerConf,
        smmap_store: "ldap",
        ldap_uri: `ldap://127.0.0.1:${proxy.port}`,
        smmap_cache_ttl: "1s",
        smmap_cache_quota_ttl: "1s",
        smmap_cache_stale_ttl: "1h",
        smmap_query_timeout: "5s",
        smmap_breaker_reset: "1s",
      });
      await expectToEndure(attacked);

      proxy.silence();
      // Users are asked for longer than anything is remembered.
      await serveUsers(attacked.says(/serving an answer that expired/));
      const replies = await attack(ATTACKERS * BATCH * 10);
      expect(replies).toHaveLength(ATTACKERS * BATCH * 10);
      expect(replies.filter((reply) => !/^(?:TEMP|TIMEOUT) /.test(reply))).toEqual([]);

      proxy.resume();
      const client = await connect();
      await serveUsers(
        (async () => {
          while ((await client.ask(unknownName())) !== absent);
        })(),
      );
    } finally {
      await daemon?.kill();
      await proxy.close();
      await slapd.close();
    }
  }, 120_000);
});
