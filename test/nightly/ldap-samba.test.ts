/** The ldap store with the preset ad on a real Active Directory domain controller, Samba's. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { DirectoryLoad } from "../../fixtures/directory-load.ts";
import type { DirectoryProduct } from "../../fixtures/servers/directory-product.ts";
import { type LdapConf, type LdapService, openLdapService } from "../../fixtures/servers/ldap-store.ts";
import { startSambaAd } from "../../fixtures/servers/samba-ad.ts";

const absent = "NOTFOUND Mailbox does not exist";
const ROOT = "DC=ad,DC=example,DC=org";
const MAIL = `OU=Mail,${ROOT}`;
const SCHEMA = `CN=Schema,CN=Configuration,${ROOT}`;
/** Accounts with an address and an alias each. */
const USERS = 100;
/** Unknown addresses in a row: five seconds. */
const UNKNOWN = 200;
/** Of userAccountControl: an ordinary account that needs no password; one that is disabled. */
const NORMAL = 0x220;
const DISABLED = 0x222;

const conf: LdapConf = {
  smmap_ldap_preset: "ad",
  ldap_bind_dn: "smmapd@ad.example.org",
  ldap_password: "Reader-secret1",
  smmap_query_timeout: "2s",
  smmap_breaker_reset: "1s",
  ldap_timeout: "1s",
};

const addresses = Array.from({ length: USERS }, (_, i) => `user${i}@example.org`);
const aliases = Array.from({ length: USERS }, (_, i) => `alias${i}@example.org`);

function entry(objectClass: string, cn: string, lines: readonly string[]): string {
  return [`dn: CN=${cn},${MAIL}`, `objectClass: ${objectClass}`, `cn: ${cn}`, ...lines, ""].join("\n");
}

function user(name: string, mail: string, alias: string, control = NORMAL): string {
  const account = [`sAMAccountName: ${name}`, `userAccountControl: ${control}`];
  // As in a domain without Exchange, the address itself is in mail alone, so that hiding mail hides it.
  return entry("user", name, [...account, `mail: ${mail}`, `proxyAddresses: smtp:${alias}`]);
}

const entries = [
  `dn: ${MAIL}\nobjectClass: organizationalUnit\nou: Mail\n`,
  ...addresses.map((mail, i) => user(`user${i}`, mail, aliases[i] as string)),
  user("dirk", "dirk@example.org", "d.alias@example.org", DISABLED),
  entry("group", "team", ["sAMAccountName: team", "mail: team@example.org"]),
  entry("contact", "carl", ["mail: carl@example.org"]),
].join("\n");

let server: DirectoryProduct;
let service: LdapService;
let load: DirectoryLoad | null = null;

beforeAll(async () => {
  server = await startSambaAd(entries);
  await server.root.run("samba-tool", ["user", "create", "smmapd", "Reader-secret1"]);
}, 400_000);

afterAll(() => server?.close());

afterEach(async () => {
  await load?.stop();
  load = null;
  await service?.close();
});

async function openService(base: string): Promise<LdapService> {
  service = await openLdapService({ ...conf, ldap_uri: server.uri, ldap_base: base });
  // What a running daemon has seen.
  expect(await service.ask("user0@example.org")).toBe("OK user0@example.org");
  expect(await service.ask("alias0@example.org")).toBe("OK alias0@example.org");
  return service;
}

describe.each([
  ["the root of the domain", ROOT],
  ["an organizational unit", MAIL],
])("Samba AD, asked from %s", (_, base) => {
  describe("in good health", { timeout: 120_000 }, () => {
    it("says who is there: accounts, groups, contacts, and no disabled account", async () => {
      await openService(base);
      const replies = {
        "USER7@Example.ORG": "OK USER7@Example.ORG",
        "alias7@example.org": "OK alias7@example.org",
        "user7+detail@example.org": "OK user7+detail@example.org",
        "team@example.org": "OK team@example.org",
        "carl@example.org": "OK carl@example.org",
        "nobody@example.org": absent,
        "*@example.org": absent,
        "dirk@example.org": absent,
        "d.alias@example.org": absent,
      };
      const told: Record<string, string> = {};
      for (const key of Object.keys(replies)) told[key] = await service.ask(key);
      expect(told).toEqual(replies);
    });

    it.each([1, 100])(
      "finds known addresses and refuses unknown ones at 40 a second, beside a known one with every %i",
      async (knownEvery) => {
        load = new DirectoryLoad(await openService(base), [...addresses, ...aliases], knownEvery);
        await load.more(UNKNOWN);
        await load.stop();
        expect(load).toMatchObject({ wrong: [], known: { failed: 0 }, unknown: { failed: 0 } });
      },
    );
  });

  describe("in trouble", { timeout: 240_000 }, () => {
    it.each([
      ["is killed", () => server.kill()],
      ["is stopped", () => server.stop()],
      ["hangs", () => server.hang()],
    ])("that %s makes nobody absent, and is used again when it is back", async (_, fault) => {
      load = new DirectoryLoad(await openService(base), [...addresses, ...aliases]);
      try {
        await load.more(40);
        await fault();
        await load.moreKnown("failed", 40);
      } finally {
        await server.start();
      }
      await load.recovered(40);
      await load.stop();
      expect(load.wrong).toEqual([]);
    });

    it.each([
      ["mail", "CN=E-mail-Addresses", addresses, true],
      ["proxyAddresses", "CN=Proxy-Addresses", aliases, false],
    ])("that makes %s confidential makes nobody absent", async (_, attribute, hidden, isRestarted) => {
      const setFlags = async (flags: number) => {
        await setSearchFlags(attribute, flags);
        // Each of its processes notices a change of the schema in its own time, which may be minutes.
        if (!isRestarted) return;
        await server.stop();
        await server.start();
      };
      load = new DirectoryLoad(await openService(base), hidden);
      const before = await searchFlags(attribute);
      try {
        await load.more(40);
        await setFlags(before | CONFIDENTIAL);
        await load.moreKnown("failed", 100);
      } finally {
        await setFlags(before);
      }
      await load.recovered(40);
      await load.stop();
      expect(load.wrong).toEqual([]);
    });
  });
});

/** Of searchFlags in the schema: who may read the entry may not read this attribute. */
const CONFIDENTIAL = 0x80;

async function searchFlags(attribute: string): Promise<number> {
  const ldif = await server.search(`${attribute},${SCHEMA}`, "base", "(objectClass=*)", "searchFlags");
  return Number(/^searchFlags: (\d+)$/m.exec(ldif)?.[1]);
}

async function setSearchFlags(attribute: string, flags: number): Promise<void> {
  const change = "changetype: modify\nreplace: searchFlags\n";
  await server.modify(`dn: ${attribute},${SCHEMA}\n${change}searchFlags: ${flags}\n`);
  await server.modify("dn:\nchangetype: modify\nadd: schemaUpdateNow\nschemaUpdateNow: 1\n");
}
