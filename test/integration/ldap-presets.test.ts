/** Every preset, on a real slapd with entries as its product makes them; and a site's own schema. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type LdapConf, openLdapService } from "../../fixtures/servers/ldap-store.ts";
import { Slapd } from "../../fixtures/servers/slapd.ts";

const fixture = (name: string) => fileURLToPath(new URL(`../../fixtures/servers/${name}`, import.meta.url));

let slapd: Slapd;

beforeAll(async () => {
  slapd = await Slapd.start({
    suffix: "dc=test",
    ldif: readFileSync(fixture("ldap-presets.ldif"), "utf8"),
    schemas: [fixture("ldap-presets.schema")],
    indexes: ["mail eq"],
    databaseLines: ["access to * by * read"],
  });
});

afterAll(() => slapd?.close());

const ok = "OK";
const absent = "NOTFOUND Mailbox does not exist";
const overQuota = "TEMP Over quota";
const denied = "PERM Permission denied";

interface PresetCase {
  readonly preset: string;
  readonly conf?: LdapConf;
  /** Key to reply; "OK" stands for OK and the key. */
  readonly replies: Readonly<Record<string, string>>;
}

const usage = { smmap_ldap_usage_attribute: "mailUsage" };
const messagesUsage = { smmap_ldap_messages_usage_attribute: "mailMessagesUsage" };

/** The same for all: somebody there, by both names and in any case, and nobody. */
const everywhere = {
  "anna@example.org": ok,
  "Anna@Example.ORG": ok,
  "a.alias@example.org": ok,
  "nobody@example.org": absent,
  "anna@example.com": absent,
  "anna+detail@example.org": ok,
  "*@example.org": absent,
  "+Nowhere@example.org": absent,
};

const cases: readonly PresetCase[] = [
  {
    preset: "generic",
    conf: { ...usage, smmap_ldap_quota_unit: "b" },
    replies: { "otto@example.org": overQuota, "o.alias@example.org": overQuota },
  },
  {
    preset: "qmail",
    conf: { ...usage, ...messagesUsage },
    replies: {
      "norbert@example.org": ok,
      "dirk@example.org": absent,
      "d.alias@example.org": absent,
      "gerda@example.org": absent,
      "otto@example.org": overQuota,
      "mona@example.org": overQuota,
      "team@example.org": ok,
    },
  },
  { preset: "inetlocal", replies: { "dirk@example.org": absent } },
  {
    preset: "kolab",
    conf: usage,
    replies: {
      "dirk@example.org": absent,
      "otto@example.org": overQuota,
      "post@example.org": ok,
      "look@example.org": denied,
      "secret@example.org": absent,
      "calendar@example.org": absent,
      "+shared/Post@example.org": ok,
      "+shared/Look@example.org": denied,
      "+shared/Secret@example.org": absent,
      "+shared/post@example.org": absent,
    },
  },
  {
    preset: "iredmail",
    conf: { ...usage, ...messagesUsage },
    replies: {
      "dirk@example.org": absent,
      "nina@example.org": absent,
      "dora@example.org": absent,
      "otto@example.org": overQuota,
      "mona@example.org": overQuota,
      "sales@example.org": ok,
      "list@example.org": ok,
      "old@example.org": absent,
    },
  },
  {
    preset: "postfixbook",
    conf: usage,
    replies: { "dirk@example.org": absent, "otto@example.org": overQuota },
  },
  {
    preset: "univention",
    conf: usage,
    replies: {
      "otto@example.org": overQuota,
      "post@example.org": ok,
      "look@example.org": denied,
      "secret@example.org": absent,
      "full@example.org": overQuota,
      "+post@example.org": ok,
      "+look@example.org": denied,
    },
  },
  {
    preset: "ipa",
    conf: usage,
    replies: { "berta@example.org": ok, "dirk@example.org": absent, "otto@example.org": overQuota },
  },
  {
    preset: "ad",
    replies: {
      "dirk@example.org": absent,
      "team@example.org": ok,
      "carl@example.org": ok,
      // Exchange's, on disabled accounts; but not that of somebody who has left.
      "shared@example.org": ok,
      "room@example.org": ok,
      "beamer@example.org": ok,
      "linked@example.org": ok,
      "online@example.org": ok,
      "left@example.org": absent,
      "everyone@example.org": ok,
      "folder@example.org": ok,
    },
  },
];

describe.each(cases)("preset $preset", ({ preset, conf, replies }) => {
  const all = Object.entries({ ...everywhere, ...replies });

  it("answers what its entries say", async () => {
    expect(await ask({ smmap_ldap_preset: preset, ...conf }, Object.keys(replies))).toEqual(inFull(replies));
    expect(await ask({ smmap_ldap_preset: preset, ...conf }, Object.keys(everywhere))).toEqual(inFull(everywhere));
  });

  it("answers the same with virtual domains", async () => {
    const virtual = { smmap_ldap_preset: preset, ...conf, virtdomains: "userid", defaultdomain: "example.org" };
    expect(
      await ask(
        virtual,
        all.map(([key]) => key),
      ),
    ).toEqual(inFull(Object.fromEntries(all)));
  });

  it("never says over quota without a usage attribute", async () => {
    const full = all.filter(([, reply]) => reply === overQuota).map(([key]) => key);
    const told = await ask({ smmap_ldap_preset: preset }, full);
    expect(told).toEqual(inFull(Object.fromEntries(full.map((key) => [key, ok]))));
  });
});

describe("a preset", () => {
  it("is overridden by single options", async () => {
    const conf = { smmap_ldap_preset: "qmail", smmap_ldap_status_values: "active=ok disabled=ok deleted=notfound" };
    expect(await ask(conf, ["dirk@example.org", "gerda@example.org"])).toEqual([
      "OK dirk@example.org",
      "NOTFOUND Mailbox does not exist",
    ]);
    const filter = { smmap_ldap_preset: "qmail", ldap_filter: "(&(objectClass=qmailUser)(uid=%U))" };
    expect(await ask(filter, ["norbert@anywhere.example"])).toEqual(["OK norbert@anywhere.example"]);
    // A status without a meaning is no guess.
    expect(await ask(filter, ["dirk@example.org"])).toEqual([absent]);
    const partial = { smmap_ldap_preset: "qmail", smmap_ldap_status_values: "active=ok" };
    expect(await ask(partial, ["dirk@example.org"])).toEqual(["TEMP Mailbox look-up failed, try again later"]);
  });

  it("gives way to a schema of the site's own with custom", async () => {
    const conf = {
      smmap_ldap_preset: "custom",
      ldap_base: "dc=test",
      ldap_filter: "(&(objectClass=user)(sAMAccountName=%U))",
      smmap_ldap_quota_attribute: "userAccountControl",
      smmap_ldap_usage_attribute: "userAccountControl",
      smmap_ldap_quota_unit: "k",
      smmap_ldap_shared_filter: "(&(objectClass=kolabSharedFolder)(cn=%f))",
      smmap_ldap_acl_attribute: "acl",
    };
    const keys = ["anna", "ANNA@example.org", "nobody", "+post", "+look", "+nothing", "post"];
    expect(await ask(conf, keys)).toEqual([
      "OK anna",
      "OK ANNA@example.org",
      absent,
      "OK +post",
      denied,
      absent,
      absent,
    ]);
  });
});

describe("the advice in docs/store-ldap.md", () => {
  it("gives an account of slapd enough rights, and the matching rule is as said there", async () => {
    const page = readFileSync(new URL("../../docs/store-ldap.md", import.meta.url), "utf8");
    const [, access = ""] = /^(access to dn\.subtree="o=domains[^`]*)\n```/m.exec(page) ?? [];
    const [, index = ""] = /^index (mail,shadowAddress eq)$/m.exec(page) ?? [];
    const reader = [
      "dn: cn=smmapd,dc=test",
      "objectClass: organizationalRole",
      "objectClass: simpleSecurityObject",
      "cn: smmapd",
      "userPassword: secret",
    ];
    const careful = await Slapd.start({
      suffix: "dc=test",
      ldif: `${readFileSync(fixture("ldap-presets.ldif"), "utf8")}\n${reader.join("\n")}\n`,
      schemas: [fixture("ldap-presets.schema")],
      indexes: [index],
      databaseLines: [
        access
          .replace("o=domains,dc=example,dc=org", "ou=iredmail,dc=test")
          .replace("dc=example,dc=org", "dc=test")
          .replace("mailQuota,", "mailQuota,mailUsage,mailMessagesUsage,"),
        "access to attrs=userPassword by anonymous auth by * none",
      ],
    });
    try {
      const login = { ldap_bind_dn: "cn=smmapd,dc=test", ldap_password: "secret" };
      const conf = { smmap_ldap_preset: "iredmail", ldap_uri: careful.uri, ...usage, ...messagesUsage };
      const replies = { ...everywhere, ...cases.find(({ preset }) => preset === "iredmail")?.replies };
      expect(await ask({ ...conf, ...login }, Object.keys(replies))).toEqual(inFull(replies));
      expect(await ask(conf, ["anna@example.org"])).toEqual(["TEMP Mailbox look-up failed, try again later"]);
      const blanks = [" anna@example.org", "anna@example.org ", "ANNA@EXAMPLE.ORG", "an na@example.org"];
      const downcase = { lmtp_downcase_rcpt: "no" };
      expect(await ask({ ...conf, ...login, ...downcase }, blanks)).toEqual([
        ...blanks.slice(0, 3).map((key) => `OK ${key}`),
        absent,
      ]);
    } finally {
      await careful.close();
    }
  });
});

/** The replies to these keys, one look-up after another. */
async function ask(conf: LdapConf, keys: readonly string[]): Promise<string[]> {
  const base = `ou=${conf.smmap_ldap_preset},dc=test`;
  const service = await openLdapService({ ldap_uri: slapd.uri, ldap_base: base, ...conf });
  try {
    const replies: string[] = [];
    for (const key of keys) replies.push(await service.ask(key));
    return replies;
  } finally {
    await service.close();
  }
}

function inFull(replies: Readonly<Record<string, string>>): string[] {
  return Object.entries(replies).map(([key, reply]) => (reply === ok ? `OK ${key}` : reply));
}
