/** How many searches a look-up takes, and which answers count, at a scripted directory. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { ldapEntry, ldapResult, ScriptedLdap } from "../../../fixtures/servers/ldap-script.ts";
import { ScriptedDirectory } from "../../../fixtures/servers/ldap-script-directory.ts";
import { keepingLog, openLdapStore } from "../../../fixtures/servers/ldap-store.ts";
import { silentLog } from "../../../src/conformance/index.ts";
import { Lookup } from "../../../src/store/lookup.ts";
import { type Log, type MailboxStore, StoreError, type UserMailbox } from "../../../src/store/store.ts";

const absent = { exists: false };

let directory: ScriptedDirectory;
let store: MailboxStore;

/** A clock that stands still, so that a slow machine makes no difference. */
beforeEach(() => {
  vi.useFakeTimers({ toFake: ["performance"] });
});

afterEach(async () => {
  vi.useRealTimers();
  await store.close();
  await directory?.close();
});

const suffix = { "dc=test": { dc: ["test"] } };
const anna = { "uid=anna,dc=test": { mail: ["anna"], mailalternateaddress: ["a.alias"] } };
const bert = { "uid=bert,dc=test": { mail: ["bert"] } };

type Entries = Parameters<typeof ScriptedDirectory.start>[0];

/** Opens a store on a directory, whose survey of the attributes is over. */
async function start(entries: Entries, conf: Record<string, string> = {}, log: Log = silentLog): Promise<void> {
  directory = await ScriptedDirectory.start({ "": { namingcontexts: ["dc=test"] }, ...suffix, ...entries });
  open(directory.uri, conf, log);
  await store.ping(new Lookup());
}

function open(uri: string, conf: Record<string, string> = {}, log: Log = silentLog): void {
  store = openLdapStore(
    {
      ldap_uri: uri,
      ldap_base: "dc=test",
      smmap_ldap_preset: "custom",
      ldap_filter: "(|(mail=%u)(mailAlternateAddress=%u))",
      smmap_pool_size: "1",
      ...conf,
    },
    log,
  );
}

function lookup(user: string) {
  const mailbox: UserMailbox = { kind: "user", user, domain: null, folders: [], address: user, detail: null };
  return store.lookup(mailbox, new Lookup());
}

/** How many searches something takes, and how often they are waited for. */
async function costOf(task: () => Promise<unknown> | unknown): Promise<{ searches: number; roundTrips: number }> {
  const { searches, roundTrips } = directory;
  await task();
  return {
    searches: directory.searches.length - searches.length,
    roundTrips: directory.roundTrips - roundTrips,
  };
}

const nextSecond = () => vi.advanceTimersByTime(1000);

describe("a look-up of a user", () => {
  it("takes one search, whatever was or was not confirmed", async () => {
    await start({ ...anna, ...bert });
    expect(await costOf(() => lookup("anna"))).toEqual({ searches: 1, roundTrips: 1 });
    await lookup("nobody");
    nextSecond();
    expect(await costOf(() => lookup("a.alias"))).toEqual({ searches: 1, roundTrips: 1 });
  });

  it("takes one search with shared folders", async () => {
    const shared = { smmap_ldap_shared_filter: "(folder=%f)", smmap_ldap_acl_attribute: "acl" };
    await start({ ...anna, "cn=team,dc=test": { folder: ["team"], acl: ["anyone p"] } }, shared);
    expect(await costOf(() => lookup("anna"))).toEqual({ searches: 1, roundTrips: 1 });
  });
});

describe("an absent answer", () => {
  it("takes one round trip more where another was confirmed within the last second, and else two", async () => {
    await start({ ...anna, ...bert });
    // The naming contexts are read once, beside what else there is to confirm.
    expect(await costOf(() => lookup("nobody"))).toEqual({ searches: 6, roundTrips: 4 });
    expect(await costOf(() => lookup("nobody"))).toEqual({ searches: 4, roundTrips: 2 });
    nextSecond();
    expect(await lookup("nobody")).toEqual(absent);
    nextSecond();
    // One search for a known address of each attribute, and one of contextCSN.
    expect(await costOf(() => lookup("nobody"))).toEqual({ searches: 5, roundTrips: 3 });
    const scopes = directory.searches.slice(-5).map(({ search }) => search?.scope);
    expect(scopes).toEqual(["sub", "sub", "sub", "base", "sub"]);
  });

  it("takes three round trips more, once, where the remembered user was deleted", async () => {
    await start({ ...anna, ...bert });
    await lookup("nobody");
    directory.entries.delete("uid=anna,dc=test");
    directory.entries.set("uid=carl,dc=test", { mail: ["carl"], mailalternateaddress: ["c.alias"] });
    nextSecond();
    expect((await costOf(() => lookup("nobody"))).roundTrips).toBe(6);
    nextSecond();
    expect((await costOf(() => lookup("nobody"))).roundTrips).toBe(3);
    expect(await lookup("anna")).toEqual(absent);
  });

  it("shares the confirmation with others at that moment, and so does its failure", async () => {
    await start(anna);
    const names = ["a", "b", "c"];
    expect(await Promise.all(names.map(lookup))).toEqual(names.map(() => absent));
    nextSecond();
    expect(await costOf(() => Promise.all(names.map(lookup)))).toEqual({ searches: 9, roundTrips: 3 });
    directory.entries.delete("uid=anna,dc=test");
    nextSecond();
    const failed = await Promise.allSettled(names.map(lookup));
    expect(failed.map(({ status }) => status)).toEqual(["rejected", "rejected", "rejected"]);
  });

  it("is looked for again where it was confirmed only afterwards, so that what appeared meanwhile is found", async () => {
    await start(anna);
    await lookup("nobody");
    nextSecond();
    const before = directory.searches.length;
    const found = lookup("bert");
    // The search is over and the confirmation has begun.
    while (directory.searches.slice(before).at(-1)?.search?.scope !== "base") await new Promise(setImmediate);
    directory.entries.set("uid=bert,dc=test", { mail: ["bert"] });
    expect(await found).toMatchObject({ exists: true });
  });

  it("is none where there are no users at all", async () => {
    await start({});
    await expect(lookup("nobody")).rejects.toThrow('no users are visible below "dc=test"');
    await expect(lookup("nobody")).rejects.toMatchObject({ code: "denied" });
    directory.entries.set("uid=anna,dc=test", { mail: ["anna"] });
    expect(await lookup("nobody")).toEqual(absent);
  });

  it("comes from a directory that limits searches for any user, as long as one user is known", async () => {
    await start({ ...anna, ...bert });
    directory.isLimited = true;
    nextSecond();
    for (let second = 0; second < 3; second++, nextSecond()) expect(await lookup("nobody")).toEqual(absent);
  });

  it("comes from a directory that has always limited such searches, once a look-up has found a user", async () => {
    directory = await ScriptedDirectory.start({ ...suffix, ...anna, ...bert });
    directory.isLimited = true;
    open(directory.uri, { ldap_filter: "(mail=%u)" });
    await expect(lookup("nobody")).rejects.toThrow(/adminLimitExceeded \(11\).*indexed, and may the account search it/);
    expect(await lookup("bert")).toMatchObject({ exists: true });
    expect(await lookup("nobody")).toEqual(absent);
  });

  it("of an address that could be a shared folder's takes a confirmation after each of the two searches", async () => {
    const shared = { smmap_ldap_shared_filter: "(folderMail=%u)" };
    await start({ ...anna, "cn=team,dc=test": { foldermail: ["team"] } }, shared);
    expect(await costOf(() => lookup("team"))).toMatchObject({ roundTrips: 5 });
    nextSecond();
    await lookup("nobody");
    nextSecond();
    expect(await costOf(() => lookup("nobody"))).toEqual({ searches: 11, roundTrips: 5 });
  });
});

describe("an attribute that is hidden", () => {
  it.each(["mail", "mailalternateaddress"])("%s makes nobody absent once it has shown entries", async (name) => {
    await start({ ...anna, ...bert });
    directory.hidden.add(name);
    for (const user of ["bert", "a.alias", "nobody"]) {
      const outcome = lookup(user);
      const isFound = (user === "bert") === (name !== "mail") && user !== "nobody";
      if (isFound) expect(await outcome).toMatchObject({ exists: true });
      else await expect(outcome).rejects.toThrow(new RegExp(`found by ${name} of ldap_filter.*right to search`, "i"));
    }
    directory.hidden.clear();
    expect(await lookup("nobody")).toEqual(absent);
  });

  it("is noticed within the second after a confirmation", async () => {
    await start({ ...anna, ...bert });
    expect(await lookup("nobody")).toEqual(absent);
    directory.hidden.add("mail");
    await expect(lookup("bert")).rejects.toThrow("mail");
  });

  it.each(["mail", "mailalternateaddress"])("is like %s whose index is being built", async (name) => {
    await start({ ...anna, ...bert });
    expect(await lookup("nobody")).toEqual(absent);
    directory.unbuilt.add(name);
    for (let second = 0; second < 2; second++, nextSecond()) {
      await expect(lookup(name === "mail" ? "bert" : "a.alias")).rejects.toThrow(new RegExp(`found by ${name}`, "i"));
    }
    directory.unbuilt.clear();
    expect(await lookup("nobody")).toEqual(absent);
  });

  it("is also noticed where only a look-up has shown that it is in use", async () => {
    await start(bert);
    expect(await lookup("nobody")).toEqual(absent);
    directory.entries.set("uid=anna,dc=test", anna["uid=anna,dc=test"]);
    expect(await lookup("a.alias")).toMatchObject({ exists: true });
    nextSecond();
    expect(await lookup("nobody")).toEqual(absent);
    nextSecond();
    directory.hidden.add("mailalternateaddress");
    await expect(lookup("a.alias")).rejects.toThrow("mailAlternateAddress");
  });

  it("is warned of once, when it has never shown an entry, and changes nothing", async () => {
    const { log, lines } = keepingLog();
    await start(bert, {}, log);
    expect(lines).toEqual([
      expect.stringMatching(/^warning: .*no users below "dc=test" can be found by mailAlternateAddress of ldap_filter/),
    ]);
    expect(await lookup("nobody")).toEqual(absent);
    await store.ping(new Lookup());
    expect(lines).toHaveLength(1);
  });

  it("makes nobody absent below another base where it is not used", async () => {
    const inA = {
      "ou=a,dc=test": {},
      "uid=anna,ou=a,dc=test": { mail: ["anna@a"], mailalternateaddress: ["alias@a"] },
    };
    const inB = { "ou=b,dc=test": {}, "uid=bert,ou=b,dc=test": { mail: ["bert@b"] } };
    await start({ ...inA, ...inB }, { ldap_base: "ou=%d,dc=test" });
    const ask = (user: string, domain: string) => {
      const address = `${user}@${domain}`;
      return store.lookup({ kind: "user", user, domain, folders: [], address, detail: null }, new Lookup());
    };
    expect(await ask("nobody", "a")).toEqual(absent);
    expect(await ask("nobody", "b")).toEqual(absent);
    nextSecond();
    directory.hidden.add("mailalternateaddress");
    await expect(ask("nobody", "b")).rejects.toThrow("mailAlternateAddress");
    // A base that is gone proves nothing any more.
    directory.hidden.clear();
    for (const dn of Object.keys(inA)) directory.entries.delete(dn);
    expect(await ask("nobody", "b")).toEqual(absent);
  });
});

describe("a user who loses the last alias", () => {
  it("changes nothing where another has one", async () => {
    await start({ ...anna, "uid=carl,dc=test": { mail: ["carl"], mailalternateaddress: ["c.alias"] } });
    await lookup("nobody");
    directory.entries.set("uid=anna,dc=test", { mail: ["anna"] });
    nextSecond();
    expect(await lookup("nobody")).toEqual(absent);
  });

  it("makes all absent answers temporary where that was the last of all, until the store is opened again", async () => {
    await start({ ...anna, ...bert });
    await lookup("nobody");
    directory.entries.set("uid=anna,dc=test", { mail: ["anna"] });
    nextSecond();
    await expect(lookup("nobody")).rejects.toThrow("reload with SIGHUP");
    expect(await lookup("anna")).toMatchObject({ exists: true });
    await store.close();
    open(directory.uri);
    expect(await lookup("nobody")).toEqual(absent);
  });
});

describe("a server that ignores the size limit", () => {
  it("confirms absent answers and keeps its connection", async () => {
    const many = Array.from({ length: 50 }, (_, i) => [`uid=u${i},dc=test`, { mail: [`u${i}`, "twin"] }] as const);
    directory = await ScriptedDirectory.start({ ...suffix, ...Object.fromEntries(many) });
    directory.ignoresSizeLimit = true;
    open(directory.uri, { ldap_filter: "(mail=%u)" });
    const answers = await Promise.allSettled(["nobody", "u1", "twin", "u2", "u3"].map(lookup));
    const outcomes = answers.map((answer) =>
      answer.status === "fulfilled" ? answer.value.exists : answer.reason.message,
    );
    expect(outcomes).toEqual([false, true, expect.stringContaining("several entries"), true, true]);
    expect(new Set(directory.searches.map(({ socket }) => socket)).size).toBe(1);
  });
});

describe("a search from the root of Active Directory", () => {
  const conf = { smmap_ldap_preset: "ad", ldap_filter: "(mail=%u)" };

  it("comes without references, so that unknown addresses can be refused", async () => {
    await start(anna, conf);
    directory.reference = "ldap://ForestDnsZones.test/DC=ForestDnsZones,DC=test";
    expect(await lookup("anna")).toMatchObject({ exists: true });
    expect(await lookup("nobody")).toEqual(absent);
  });

  it("is asked for with preset ad alone", async () => {
    await start(anna, { ...conf, smmap_ldap_preset: "custom" });
    directory.reference = "ldap://ForestDnsZones.test/DC=ForestDnsZones,DC=test";
    await expect(lookup("nobody")).rejects.toThrow("referrals are not followed");
  });
});

describe("a search that does not succeed", () => {
  it("is an error whatever its code is, and whether an entry came before", async () => {
    let code = 0;
    let isFound = false;
    const server = await ScriptedLdap.start(({ id, operation, socket }) => {
      if (operation !== 0x63) return;
      socket.write(Buffer.concat([...(isFound ? [ldapEntry(id, "cn=a")] : []), ldapResult(id, 0x65, code)]));
    });
    open(`ldap://127.0.0.1:${server.port}`);
    for (code = 1; code < 128; code++) {
      for (isFound of [false, true]) await expect(lookup("a"), `code ${code}`).rejects.toBeInstanceOf(StoreError);
    }
    code = 0;
    expect(await lookup("a")).toMatchObject({ exists: true });
    await store.close();
    await server.close();
  });
});

describe("slow searches", () => {
  it("are warned of once, when five in a row were slow", async () => {
    const { log, lines } = keepingLog();
    const server = await ScriptedLdap.start(({ id, operation, socket }) => {
      if (operation !== 0x63) return;
      vi.advanceTimersByTime(60);
      socket.write(Buffer.concat([ldapEntry(id, "cn=a"), ldapResult(id, 0x65)]));
    });
    open(`ldap://127.0.0.1:${server.port}`, { ldap_filter: "(mail=%u)" }, log);
    for (let i = 0; i < 4; i++) await lookup("a");
    expect(lines).toEqual([]);
    for (let i = 0; i < 8; i++) await lookup("a");
    expect(lines).toEqual([expect.stringMatching(/^warning: .*5 searches in a row took 60 ms or more: .*indexed/)]);
    await store.close();
    await server.close();
  });
});

describe("a closed store", () => {
  it("asks nobody", async () => {
    await start(anna);
    const before = directory.searches.length;
    await store.close();
    await expect(lookup("anna")).rejects.toMatchObject({ code: "closed" });
    await expect(store.ping(new Lookup())).rejects.toMatchObject({ code: "closed" });
    expect(directory.searches.length).toBe(before);
  });
});

describe("a look-up that was called off before it began", () => {
  it("asks nobody", async () => {
    await start(anna);
    const before = directory.searches.length;
    const called = new Lookup();
    called.abort(new Error("gone"));
    const mailbox: UserMailbox = { kind: "user", user: "a", domain: null, folders: [], address: "a", detail: null };
    await expect(store.lookup(mailbox, called)).rejects.toThrow("gone");
    expect(directory.searches.length).toBe(before);
  });
});
