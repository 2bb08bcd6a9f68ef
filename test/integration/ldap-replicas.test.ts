/** Replicas of OpenLDAP that are being filled or lag, and second servers of all kinds: nobody is absent by their word. */
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { TcpProxy } from "../../fixtures/servers/ldap-proxy.ts";
import { keepingLog, type LdapConf, type LdapService, openLdapService } from "../../fixtures/servers/ldap-store.ts";
import { Slapd, type SlapdOptions } from "../../fixtures/servers/slapd.ts";

const suffix = "dc=test";
/** Enough for a daemon to ask many times while a replica is being filled. */
const USERS = process.env.NIGHTLY === undefined ? 4_000 : 20_000;
const failed = "TEMP Mailbox look-up failed, try again later";
const absent = "NOTFOUND Mailbox does not exist";
/** Milliseconds in which a replica has to be complete. */
const FILLED_WITHIN = 60_000;

const domainEntry = `dn: ${suffix}\nobjectClass: dcObject\nobjectClass: organization\no: test\ndc: test\n`;
const userOf = (i: number) => `user${i}`;
const entryOf = (user: string) => ({ objectClass: "inetOrgPerson", cn: user, sn: "test", mail: user });

function userLdif(user: string): string {
  const lines = Object.entries(entryOf(user)).map(([name, value]) => `${name}: ${value}\n`);
  return `dn: uid=${user},${suffix}\n${lines.join("")}`;
}

function providerOf(users: number): SlapdOptions {
  const entries = Array.from({ length: users }, (_, i) => userLdif(userOf(i)));
  return {
    suffix,
    ldif: [domainEntry, ...entries].join("\n"),
    indexes: ["mail eq", "entryCSN,entryUUID eq"],
    globalLines: ["moduleload syncprov"],
    databaseLines: ["access to * by * read", "overlay syncprov"],
  };
}

/** @param port of the provider */
function consumerOf(provider: Slapd, port: number): SlapdOptions {
  const from = `provider=ldap://127.0.0.1:${port} searchbase="${suffix}" type=refreshAndPersist retry="1 +"`;
  const bind = `bindmethod=simple binddn="${provider.rootDn}" credentials=${provider.rootPassword}`;
  return {
    suffix,
    ldif: "",
    indexes: ["mail eq", "entryCSN,entryUUID eq"],
    databaseLines: ["access to * by * read", `syncrepl rid=001 ${from} ${bind}`],
  };
}

function open(uris: readonly string[], conf: LdapConf = {}, log = keepingLog().log): Promise<LdapService> {
  // With a bind, connecting to a way that is closed fails.
  const login = { ldap_bind_dn: `cn=root,${suffix}`, ldap_password: "root-secret" };
  const server = { ldap_uri: uris.join(" "), ldap_base: suffix, ...login };
  const smmap = { smmap_ldap_preset: "custom", ldap_filter: "(mail=%u)", smmap_pool_size: "1" };
  return openLdapService({ ...server, ...smmap, smmap_breaker_failures: "1000000", ...conf }, log);
}

/** Asks for users, over and over, until something is done. @returns how often each reply came */
async function askUntil(service: LdapService, isDone: () => Promise<boolean>): Promise<Map<string, number>> {
  const replies = new Map<string, number>();
  const givenUp = performance.now() + FILLED_WITHIN;
  for (let i = 0; !(await isDone()); i += 64) {
    expect(performance.now()).toBeLessThan(givenUp);
    const users = Array.from({ length: 64 }, (_, k) => userOf(((i + k) * 7919) % USERS));
    for (const reply of await Promise.all(users.map((user) => service.ask(user)))) {
      const kind = reply.replace(/^OK .*/, "OK");
      replies.set(kind, (replies.get(kind) ?? 0) + 1);
    }
    await delay(1);
  }
  return replies;
}

async function isComplete(server: Slapd): Promise<boolean> {
  const [entry] = await server.administer(async (client) => {
    try {
      return (await client.search(suffix, { scope: "base", attributes: ["contextCSN"] })).searchEntries;
    } catch {
      return [];
    }
  });
  return entry !== undefined && [entry.contextCSN].flat().length > 0;
}

describe("a consumer that is being filled", () => {
  let provider: Slapd;
  let consumer: Slapd;
  let service: LdapService | null = null;

  beforeAll(async () => {
    provider = await Slapd.start(providerOf(USERS));
  }, 60_000);

  afterEach(async () => {
    await service?.close();
    service = null;
  });

  afterAll(async () => {
    await consumer?.close();
    await provider?.close();
  });

  it("makes nobody absent for a daemon that starts meanwhile, with csn", async () => {
    consumer = await Slapd.start(consumerOf(provider, provider.port));
    service = await open([consumer.uri], { smmap_ldap_replica_check: "csn" });
    const replies = await askUntil(service, () => isComplete(consumer));
    expect([...replies.keys()].filter((reply) => reply !== "OK")).toEqual([failed]);
    expect(await service.ask(userOf(USERS - 1))).toBe(`OK ${userOf(USERS - 1)}`);
    expect(await service.ask("nobody")).toBe(absent);
  }, 90_000);

  it("makes nobody absent for a daemon that has seen it complete, with auto", async () => {
    service = await open([consumer.uri]);
    expect(await service.ask("nobody")).toBe(absent);
    await consumer.restartEmpty();
    const replies = await askUntil(service, () => isComplete(consumer));
    expect([...replies.keys()].filter((reply) => reply !== "OK")).toEqual([failed]);
    // It may be waiting to connect again.
    await vi.waitFor(async () => expect(await service?.ask("nobody")).toBe(absent), { timeout: 20_000 });
    expect(await service.ask(userOf(0))).toBe(`OK ${userOf(0)}`);
  }, 90_000);
});

describe("another server than the first", () => {
  let provider: Slapd;
  let consumer: Slapd;
  /** The way to the provider: ours, and that of the consumer. */
  let toFirst: TcpProxy;
  let replication: TcpProxy;
  let service: LdapService | null = null;

  beforeAll(async () => {
    provider = await Slapd.start(providerOf(3));
    replication = await TcpProxy.start(provider.port);
    consumer = await Slapd.start(consumerOf(provider, replication.port));
    toFirst = await TcpProxy.start(provider.port);
    await vi.waitFor(async () => expect(await isComplete(consumer)).toBe(true), { timeout: 20_000 });
  });

  afterEach(async () => {
    vi.useRealTimers();
    await service?.close();
    service = null;
    toFirst.isClosed = false;
    replication.resume();
  });

  afterAll(async () => {
    await toFirst?.close();
    await replication?.close();
    await consumer?.close();
    await provider?.close();
  });

  function loseFirst(): void {
    toFirst.isClosed = true;
    toFirst.cut();
  }

  const openBoth = (conf: LdapConf = {}, log = keepingLog().log) =>
    open([`ldap://127.0.0.1:${toFirst.port}`, consumer.uri], conf, log);

  it("says who is absent where it has all that the first one had", async () => {
    service = await openBoth();
    expect(await service.ask("nobody")).toBe(absent);
    loseFirst();
    expect(await service.ask(userOf(1))).toBe(`OK ${userOf(1)}`);
    expect(await service.ask("nobody")).toBe(absent);
  });

  it("makes nobody absent while it lags, and says so", async () => {
    // A clock that stands still until it is moved on.
    vi.useFakeTimers({ toFake: ["performance"] });
    const { log, lines } = keepingLog();
    service = await openBoth({}, log);
    expect(await service.ask("nobody")).toBe(absent);
    replication.silence();
    await provider.administer((client) => client.add(`uid=late,${suffix}`, entryOf("late")));
    // A look-up of a user notes what the first server has, once a second.
    vi.advanceTimersByTime(1_000);
    for (let i = 0; i < 5; i++) expect(await service.ask("late")).toBe("OK late");
    loseFirst();
    expect(await service.ask("late")).toBe(failed);
    expect(await service.ask("nobody")).toBe(failed);
    expect(await service.ask(userOf(2))).toBe(`OK ${userOf(2)}`);
    expect(lines.join("\n")).toMatch(/is not known to hold all entries below "dc=test".*lacks changes that ldap:/);
    replication.resume();
    await vi.waitFor(async () => expect(await service?.ask("late")).toBe("OK late"), { timeout: 20_000 });
    await vi.waitFor(async () => expect(await service?.ask("nobody")).toBe(absent), { timeout: 20_000 });
  }, 60_000);

  it("makes nobody absent where the first one was never seen", async () => {
    loseFirst();
    service = await openBoth();
    expect(await service.ask(userOf(1))).toBe(`OK ${userOf(1)}`);
    expect(await service.ask("nobody")).toBe(failed);
  });

  it("makes nobody absent where neither shows contextCSN, unless the check is switched off", async () => {
    const plain = { ...providerOf(3), globalLines: [], databaseLines: ["access to * by * read"] };
    const other = await Slapd.start(plain);
    const way = await TcpProxy.start(other.port);
    try {
      const uris = [`ldap://127.0.0.1:${way.port}`, other.uri];
      const { log, lines } = keepingLog();
      service = await open(uris, {}, log);
      const lenient = await open(uris, { smmap_ldap_replica_check: "none" });
      for (const one of [service, lenient]) expect(await one.ask("nobody")).toBe(absent);
      way.isClosed = true;
      way.cut();
      for (const one of [service, lenient]) expect(await one.ask(userOf(1))).toBe(`OK ${userOf(1)}`);
      expect([await service.ask("nobody"), await lenient.ask("nobody")]).toEqual([failed, absent]);
      expect(lines.join("\n")).toContain("has no readable contextCSN and is not the first of ldap_uri");
      await lenient.close();
    } finally {
      await way.close();
      await other.close();
    }
  });
});
