/** A real slapd in trouble, under load: what is said is true, or is TEMP in time, and all is well again by itself. */
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import {
  conformanceContent,
  mailboxesConf,
  mailboxesServer,
  readerConf,
} from "../../fixtures/servers/ldap-mailboxes.ts";
import { TcpProxy } from "../../fixtures/servers/ldap-proxy.ts";
import { ldapResult, ScriptedLdap } from "../../fixtures/servers/ldap-script.ts";
import { keepingLog, type LdapConf, type LdapService, openLdapService } from "../../fixtures/servers/ldap-store.ts";
import { Slapd } from "../../fixtures/servers/slapd.ts";

const absent = "NOTFOUND Mailbox does not exist";
/** Milliseconds of smmap_query_timeout, and by how much a busy machine may miss it. */
const TIMEOUT = 1000;
const GRACE = 5000;
const RECOVERY = 20_000;

/** Keys that are asked all the time, and the only replies that are true. */
const truths: Readonly<Record<string, string>> = {
  "anna@village.example": "OK anna@village.example",
  "anna+Lists@village.example": "OK anna+Lists@village.example",
  "dora@village.example": "TEMP Over quota",
  "hugo@hill.example": "OK hugo@hill.example",
  "+Public/Post": "OK +Public/Post",
  "+Public/Look": "PERM Permission denied",
  "nobody@village.example": absent,
  "anna+Nope@village.example": absent,
  "+Nowhere": absent,
};

let slapd: Slapd;
let proxy: TcpProxy;
let service: LdapService;
let load: Load;

beforeAll(async () => {
  slapd = await Slapd.start({ ...mailboxesServer(conformanceContent), tls: {} });
});

afterAll(() => slapd?.close());

beforeEach(async () => {
  proxy = await TcpProxy.start(slapd.port);
  service = await openLdapService({ ...conf(), ldap_uri: `ldap://localhost:${proxy.port}` });
  load = new Load(service);
});

afterEach(async () => {
  await load.stop();
  await service.close();
  await proxy.close();
});

function conf(): LdapConf {
  return {
    ...mailboxesConf,
    ...readerConf,
    virtdomains: "userid",
    defaultdomain: "village.example",
    smmap_query_timeout: `${TIMEOUT / 1000}s`,
    smmap_breaker_reset: "1s",
    ldap_timeout: "1s",
    ldap_verify_peer: "yes",
    ...(slapd.authority !== null && { ldap_ca_file: slapd.authority.caFile }),
  };
}

/** Two ways to one server, so that what one of them does not show is not there. */
function twoServers(ldap_uri: string): LdapConf {
  return { ldap_uri, smmap_ldap_replica_check: "none" };
}

/** Sixteen clients that never stop asking. */
class Load {
  readonly #service: LdapService;
  readonly #clients: Promise<void>[];
  #isStopped = false;
  /** Replies that were neither true nor a failure. */
  readonly wrong: string[] = [];
  slowest = 0;
  answered = 0;
  failed = 0;

  constructor(service: LdapService) {
    this.#service = service;
    this.#clients = Array.from({ length: 16 }, (_, i) => this.#client(i));
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await Promise.all(this.#clients);
    expect(this.wrong).toEqual([]);
    expect(this.slowest).toBeLessThan(TIMEOUT + GRACE);
  }

  /** Waits until so many more look-ups have been answered truly, or have failed. */
  async more(count: number, kind: "answered" | "failed"): Promise<void> {
    const wanted = this[kind] + count;
    const givenUp = performance.now() + RECOVERY;
    while (this[kind] < wanted) {
      expect(performance.now(), `waited for look-ups that are ${kind}`).toBeLessThan(givenUp);
      await delay(5);
    }
  }

  async #client(first: number): Promise<void> {
    const keys = Object.keys(truths);
    for (let i = first; !this.#isStopped; i++) {
      const key = keys[i % keys.length] as string;
      const since = performance.now();
      const reply = await this.#service.ask(key);
      this.slowest = Math.max(this.slowest, performance.now() - since);
      if (reply === truths[key]) {
        this.answered++;
      } else {
        this.failed++;
        if (!/^(?:TEMP Mailbox look-up failed|TIMEOUT )/.test(reply)) this.wrong.push(`${key}: ${reply}`);
        // A failure costs so little that sixteen clients would leave the machine to nobody else.
        await delay(2);
      }
    }
  }
}

describe("a slapd", () => {
  it.each([
    ["is killed", () => slapd.kill()],
    ["is stopped", () => slapd.stop()],
    ["hangs", () => slapd.hang()],
  ])("that %s and comes back", async (_, harm) => {
    await load.more(200, "answered");
    await harm();
    await load.more(20, "failed");
    await slapd.start();
    await load.more(200, "answered");
  });

  it("that restarts again and again", async () => {
    for (let i = 0; i < 4; i++) {
      await load.more(50, "answered");
      await slapd.kill();
      await slapd.start();
    }
    await load.more(200, "answered");
  });

  it("whose connections are cut", async () => {
    for (let i = 0; i < 10; i++) {
      await load.more(50, "answered");
      proxy.cut(i % 2 === 0);
    }
    await load.more(200, "answered");
  });

  it("whose cable is pulled and put back", async () => {
    await load.more(100, "answered");
    proxy.silence();
    await load.more(20, "failed");
    proxy.resume();
    await load.more(200, "answered");
  });

  it("that changes our password, and later takes the old one again, which works at once after a reload", async () => {
    await load.more(50, "answered");
    await changePassword("another");
    try {
      // Who is logged in stays so.
      await load.more(100, "answered");
      proxy.cut();
      await load.more(20, "failed");
    } finally {
      await changePassword(readerConf.ldap_password as string);
    }
    // Without the reload, which opens a new store, the login would be tried again after 30 s.
    await load.stop();
    await service.close();
    service = await openLdapService({ ...conf(), ldap_uri: `ldap://localhost:${proxy.port}` });
    load = new Load(service);
    await load.more(200, "answered");
  });

  it.each([
    ["refers to another", 10],
    ["is busy", 51],
    ["is unavailable", 52],
  ])("whose first URL leads to a server that %s fails no look-up", async (_, code) => {
    const first = await ScriptedLdap.start(({ id, operation, socket }) => {
      if (operation === 0x60) socket.write(ldapResult(id, 0x61));
      if (operation === 0x63) socket.write(ldapResult(id, 0x65, code));
    });
    const twoUrls = `ldap://127.0.0.1:${first.port} ldap://localhost:${proxy.port}`;
    const { log, lines } = keepingLog();
    // The second server is no replica that could lag, so what it does not find is absent.
    const complete = { smmap_ldap_replica_check: "none" };
    const second = await openLdapService({ ...conf(), ...complete, ldap_uri: twoUrls }, log);
    const secondLoad = new Load(second);
    try {
      await secondLoad.more(1_000, "answered");
      expect(secondLoad.failed).toBe(0);
      expect(lines.filter((line) => line.includes("is used instead of")).length).toBeGreaterThan(0);
      expect(first.requests.filter(({ operation }) => operation === 0x60).length).toBeLessThanOrEqual(2);
    } finally {
      await secondLoad.stop();
      await second.close();
      await first.close();
    }
  });

  it("that gains and loses an entry", async () => {
    const dn = `cn=late,${slapd.suffix}`;
    const late = { objectClass: "smmapMailbox", cn: "late", smmapUserId: "late" };
    expect(await service.ask("late")).toBe(absent);
    await slapd.administer((client) => client.add(dn, late));
    expect(await service.ask("late")).toBe("OK late");
    await slapd.administer((client) => client.del(dn));
    expect(await service.ask("late")).toBe(absent);
  });

  it("whose first URL leads nowhere", async () => {
    const { log, lines } = keepingLog();
    const twoUrls = `ldap://127.0.0.1:9 ldap://localhost:${proxy.port}`;
    const second = await openLdapService({ ...conf(), ...twoServers(twoUrls) }, log);
    const secondLoad = new Load(second);
    try {
      await secondLoad.more(200, "answered");
      expect(secondLoad.failed).toBe(0);
      expect(lines.filter((line) => line.includes("127.0.0.1:9"))).not.toEqual([]);
    } finally {
      await secondLoad.stop();
      await second.close();
    }
  });

  it("whose first URL comes back is asked there again", async () => {
    await load.stop();
    await service.close();
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const first = await TcpProxy.start(slapd.port);
    first.isClosed = true;
    const { log, lines } = keepingLog();
    const twoUrls = `ldap://127.0.0.1:${first.port} ldap://localhost:${proxy.port}`;
    const both = await openLdapService({ ...conf(), ...twoServers(twoUrls), smmap_pool_size: "1" }, log);
    try {
      expect(await both.ask("anna")).toBe("OK anna");
      expect([first.open, proxy.open]).toEqual([0, 1]);
      first.isClosed = false;
      vi.advanceTimersByTime(30_000);
      vi.useRealTimers();
      await vi.waitFor(() => expect([first.open, proxy.open]).toEqual([1, 0]), { timeout: RECOVERY });
      expect(await both.ask("anna")).toBe("OK anna");
      expect(first.accepted).toBe(2);
      expect(lines.join("\n")).toContain("connected again, leaving");
    } finally {
      vi.useRealTimers();
      await both.close();
      await first.close();
    }
  });

  it("whose first URL hangs", async () => {
    const hung = await TcpProxy.start(slapd.port);
    hung.silence();
    const twoUrls = `ldap://127.0.0.1:${hung.port} ldap://localhost:${proxy.port}`;
    const second = await openLdapService({ ...conf(), ...twoServers(twoUrls) });
    const secondLoad = new Load(second);
    try {
      await secondLoad.more(200, "answered");
    } finally {
      await secondLoad.stop();
      await second.close();
      await hung.close();
    }
  });
});

describe("a StartTLS connection that is cut", () => {
  it("is noticed at once, and made anew with TLS and bind", async () => {
    await load.stop();
    const other = await TcpProxy.start(slapd.port);
    const secure = await openLdapService({
      ...conf(),
      ldap_uri: `ldap://localhost:${other.port}`,
      ldap_start_tls: "yes",
      smmap_pool_size: "1",
    });
    const secureLoad = new Load(secure);
    try {
      for (let i = 0; i < 5; i++) {
        await secureLoad.more(50, "answered");
        other.cut(i % 2 === 0);
      }
      await secureLoad.more(50, "answered");
      await secureLoad.stop();
      // Idle, too: nobody waits for a deadline on a dead connection.
      const { accepted } = other;
      other.cut();
      const since = performance.now();
      expect(await secure.ask("anna")).toBe("OK anna");
      expect(performance.now() - since).toBeLessThan(TIMEOUT);
      expect(other.accepted).toBe(accepted + 1);
    } finally {
      await secureLoad.stop();
      await secure.close();
      await other.close();
    }
  });
});

describe("thirty first requests at once", () => {
  it("share one attempt to connect", async () => {
    await load.stop();
    const other = await TcpProxy.start(slapd.port);
    const fresh = await openLdapService({ ...conf(), ldap_uri: `ldap://localhost:${other.port}` });
    try {
      const keys = Array.from({ length: 30 }, (_, i) => Object.keys(truths)[i % 9] as string);
      const replies = await Promise.all(keys.map((key) => fresh.ask(key)));
      expect(replies).toEqual(keys.map((key) => truths[key]));
      // The second connection is the spare, made while the first one serves.
      expect(other.accepted).toBeLessThanOrEqual(2);
    } finally {
      await fresh.close();
      await other.close();
    }
  });

  it("fail together where nobody listens", async () => {
    await load.stop();
    const fresh = await openLdapService({ ...conf(), ldap_uri: "ldap://127.0.0.1:9" });
    try {
      const replies = await Promise.all(Array.from({ length: 30 }, () => fresh.ask("nobody@village.example")));
      expect(new Set(replies)).toEqual(new Set(["TEMP Mailbox look-up failed, try again later"]));
    } finally {
      await fresh.close();
    }
  });
});

async function changePassword(password: string): Promise<void> {
  const { Attribute, Change } = await import("ldapts");
  const modification = new Attribute({ type: "userPassword", values: [password] });
  await slapd.administer((client) =>
    client.modify(`cn=reader,${slapd.suffix}`, new Change({ operation: "replace", modification })),
  );
}
