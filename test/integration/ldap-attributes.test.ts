/** Rights to only some attributes of the filter, on a real slapd: whoever is there is never absent. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough, Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import { Attribute, Change } from "ldapts";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { keepingLog, type LdapConf, type LdapService, openLdapService } from "../../fixtures/servers/ldap-store.ts";
import { Slapd } from "../../fixtures/servers/slapd.ts";
import { main } from "../../src/commands/main.ts";

const suffix = "dc=test";
const failed = "TEMP Mailbox look-up failed, try again later";
const absent = "NOTFOUND Mailbox does not exist";
const fixture = (name: string) => fileURLToPath(new URL(`../../fixtures/servers/${name}`, import.meta.url));

/** Attributes that readers of the group may search by; everybody may see that entries exist. */
const attributes = ["mail", "mailAlternateAddress"] as const;
type AddressAttribute = (typeof attributes)[number];

let slapd: Slapd;
let service: LdapService | null = null;

const groupOf = (attribute: AddressAttribute) => `cn=${attribute},${suffix}`;

function reader(cn: string): string {
  const classes = ["objectClass: organizationalRole", "objectClass: simpleSecurityObject"];
  return [`dn: cn=${cn},${suffix}`, ...classes, `cn: ${cn}`, "userPassword: secret", ""].join("\n");
}

beforeAll(async () => {
  const groups = attributes.map((name) =>
    [
      `dn: ${groupOf(name)}`,
      "objectClass: organizationalRole",
      `cn: ${name}`,
      `roleOccupant: cn=reader,${suffix}`,
      "",
    ].join("\n"),
  );
  slapd = await Slapd.start({
    suffix,
    ldif: [readFileSync(fixture("ldap-presets.ldif"), "utf8"), reader("reader"), reader("searcher"), ...groups].join(
      "\n",
    ),
    schemas: [fixture("ldap-presets.schema")],
    indexes: ["mail,mailAlternateAddress eq"],
    databaseLines: [
      "access to attrs=userPassword by anonymous auth by * none",
      ...attributes.map(
        (name) =>
          `access to attrs=${name} by group/organizationalRole/roleOccupant.exact="${groupOf(name)}" read ` +
          `by dn.exact="cn=searcher,${suffix}" search by * none`,
      ),
      "access to * by users read",
    ],
  });
});

afterAll(() => slapd?.close());

afterEach(async () => {
  await service?.close();
  service = null;
  for (const attribute of attributes) await setRight(attribute, true);
});

/** Whether the reader may search by an attribute. */
async function setRight(attribute: AddressAttribute, isGiven: boolean): Promise<void> {
  const values = isGiven ? [`cn=reader,${suffix}`] : [];
  const modification = new Attribute({ type: "roleOccupant", values });
  await slapd.administer((client) =>
    client.modify(groupOf(attribute), new Change({ operation: "replace", modification })),
  );
}

function confOf(who = "reader"): LdapConf {
  const login = { ldap_bind_dn: `cn=${who},${suffix}`, ldap_password: "secret" };
  return { ldap_uri: slapd.uri, ldap_base: `ou=qmail,${suffix}`, smmap_ldap_preset: "qmail", ...login };
}

/** Waits until what was confirmed a moment ago counts no more. */
async function becomes(key: string, reply: string): Promise<void> {
  await vi.waitFor(async () => expect(await service?.ask(key)).toBe(reply), { timeout: 20_000, interval: 100 });
}

const byMail = "anna@example.org";
const byAlias = "a.alias@example.org";
const nobody = "nobody@example.org";

describe("the right to search by an attribute", () => {
  it.each([
    ["mail", byMail, byAlias],
    ["mailAlternateAddress", byAlias, byMail],
  ] as const)("%s that is taken away makes nobody absent", async (attribute, hidden, shown) => {
    const { log, lines } = keepingLog();
    service = await openLdapService(confOf(), log);
    await service.ping();
    const all = [byMail, byAlias, nobody];
    expect(await Promise.all(all.map(service.ask))).toEqual([`OK ${byMail}`, `OK ${byAlias}`, absent]);
    await setRight(attribute, false);
    await becomes(nobody, failed);
    expect(await service.ask(hidden)).toBe(failed);
    expect(await service.ask(shown)).toBe(`OK ${shown}`);
    // Both filters have the attribute, and either check may fail first.
    const filter = "(?:ldap_filter|smmap_ldap_shared_filter)";
    expect(lines.join("\n")).toMatch(new RegExp(`found by ${attribute} of ${filter}.*right to search and read`));
    await setRight(attribute, true);
    await becomes(hidden, `OK ${hidden}`);
    expect(await service.ask(nobody)).toBe(absent);
  });

  it.each(attributes)("%s that is missing from the beginning is warned of once", async (attribute) => {
    await setRight(attribute, false);
    const { log, lines } = keepingLog();
    service = await openLdapService(confOf(), log);
    for (let i = 0; i < 3; i++) await service.ask(nobody);
    const warning = new RegExp(`^warning: .*no users below "ou=qmail,${suffix}" can be found by ${attribute} `);
    await vi.waitFor(() => expect(lines.filter((line) => warning.test(line))).toHaveLength(1));
  });

  it("is enough without the right to read", async () => {
    service = await openLdapService(confOf("searcher"));
    expect(await Promise.all([byMail, byAlias, nobody].map(service.ask))).toEqual([
      `OK ${byMail}`,
      `OK ${byAlias}`,
      absent,
    ]);
  });

  it("is shown by smmapd check -v, where it is missing", async () => {
    await setRight("mailAlternateAddress", false);
    const folder = mkdtempSync(join(tmpdir(), "smmapd-attributes-"));
    try {
      const configFile = join(folder, "imapd.conf");
      const lines = Object.entries({ configdirectory: folder, smmap_store: "ldap", ...confOf() });
      writeFileSync(configFile, lines.map(([key, value]) => `${key}: ${value}\n`).join(""), { mode: 0o600 });
      const check = async (...args: string[]) => {
        const [stdout, stderr] = [new PassThrough(), new PassThrough()];
        await main(["check", "-C", configFile, ...args, byMail], { stdin: Readable.from([]), stdout, stderr, env: {} });
        return String(stderr.read() ?? "");
      };
      expect(await check("-v")).toContain('no users below "ou=qmail,dc=test" can be found by mailAlternateAddress');
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
