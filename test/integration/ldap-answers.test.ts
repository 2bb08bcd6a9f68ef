/** What a real slapd can answer besides entries: refusals, limits, referrals, silence about what we may not see. */
import { Attribute, Change } from "ldapts";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { mailboxesConf, mailboxesServer } from "../../fixtures/servers/ldap-mailboxes.ts";
import { keepingLog, type LdapConf, openLdapService, openLdapStore } from "../../fixtures/servers/ldap-store.ts";
import { Slapd } from "../../fixtures/servers/slapd.ts";
import { Lookup } from "../../src/store/lookup.ts";
import type { MailboxFacts, StoreError } from "../../src/store/store.ts";

const suffix = "o=mailboxes";
const password = "a secret, (with) *";

let slapd: Slapd;

/** An entry of smmapMailbox. */
function entry(cn: string, ...lines: string[]): string {
  const [rdn = ""] = cn.split(",");
  return [`dn: cn=${cn},${suffix}`, "objectClass: smmapMailbox", `cn: ${rdn}`, ...lines, ""].join("\n");
}

/** Somebody who may bind. */
function login(cn: string): string {
  const classes = ["objectClass: organizationalRole", "objectClass: simpleSecurityObject"];
  return [`dn: cn=${cn},${suffix}`, ...classes, `cn: ${cn}`, `userPassword: ${password}`, ""].join("\n");
}

function unit(ou: string, parent = suffix): string {
  return [`dn: ou=${ou},${parent}`, "objectClass: organizationalUnit", `ou: ${ou}`, ""].join("\n");
}

const ldif = [
  `dn: ${suffix}\nobjectClass: organization\no: mailboxes\n`,
  ...["reader", "guest", "blind", "keyhole", "curtain", "limited", "counted"].map(login),
  `dn: cn=viewers,${suffix}\nobjectClass: organizationalRole\ncn: viewers\nroleOccupant: cn=reader,${suffix}\n`,
  ...["people", "twins", "hidden", "empty"].map((ou) => unit(ou)),
  unit("elsewhere.example", `ou=people,${suffix}`),
  // Plain ones, and attributes of every shape.
  entry("anna,ou=people", "smmapUserId: anna", "smmapLimit: 1K", "smmapUsage: 1024"),
  entry("bert,ou=people", "smmapUserId: bert", "smmapLimit: 10", "smmapLimit: 20", "smmapUsage: 15"),
  entry("carl,ou=people", "smmapUserId: carl", "smmapLimit: plenty", "smmapUsage: 5"),
  entry("dora,ou=people", "smmapUserId: dora", "smmapLimit: 10", "smmapUsage: some"),
  entry("emil,ou=people", "smmapUserId: emil", "smmapLimit: -1", "smmapUsage: 5"),
  entry("fred,ou=people", "smmapUserId: fred", "smmapLimit: 10", "smmapUsage: -5"),
  entry("gina,ou=people", "smmapUserId: gina", "smmapLimit;x-new: 10", "smmapUsage;x-new: 11"),
  entry("hugo,ou=people", "smmapUserId: hugo", "smmapStatus:: /w=="),
  entry("iris,ou=people", "smmapUserId: iris", "smmapStatus: moving"),
  entry("jack,ou=people", "smmapUserId: jack", "smmapStatus: GONE"),
  entry("kate,ou=people", "smmapUserId: kate", "smmapStatus: active", "smmapStatus: gone"),
  entry("lena,ou=people", "smmapUserId: lena", "smmapStatus: unheard-of"),
  entry("mike,ou=people", "smmapUserId: mike", "smmapFolder: Lists", "smmapFolder:: /w=="),
  entry("odd,ou=people", "smmapPath: odd", "smmapRights: anyone whatever"),
  entry("room,ou=people", "smmapPath: room", "smmapRights: lrsp", "smmapRights: -anonymous p", "smmapRights: boss all"),
  entry("elsewhere,ou=elsewhere.example,ou=people", "smmapUserId: elsewhere"),
  // Two for one address.
  entry("first,ou=twins", "smmapUserId: twin"),
  entry("second,ou=twins", "smmapUserId: twin"),
  // Only for those who may look.
  entry("nina,ou=hidden", "smmapUserId: nina"),
  // An alias of the X.500 kind, and the servers that know more.
  `dn: cn=shadow,${suffix}\nobjectClass: alias\nobjectClass: extensibleObject\ncn: shadow\naliasedObjectName: cn=anna,ou=people,${suffix}\n`,
  `dn: ou=away,${suffix}\nobjectClass: referral\nobjectClass: extensibleObject\nou: away\nref: ldap://other.example/ou=away,${suffix}\n`,
  unit("domains"),
  `dn: cn=d,ou=domains,${suffix}\nobjectClass: domainRelatedObject\nobjectClass: organizationalRole\ncn: d\nassociatedDomain: example.org\nassociatedDomain: example.net\ndescription: ou=people,${suffix}\n`,
  `dn: cn=e,ou=domains,${suffix}\nobjectClass: domainRelatedObject\nobjectClass: organizationalRole\ncn: e\nassociatedDomain: standard.test\n`,
  `dn: cn=f,ou=domains,${suffix}\nobjectClass: domainRelatedObject\nobjectClass: organizationalRole\ncn: f\nassociatedDomain: twice.test\ndescription: ou=people,${suffix}\n`,
  `dn: cn=g,ou=domains,${suffix}\nobjectClass: domainRelatedObject\nobjectClass: organizationalRole\ncn: g\nassociatedDomain: twice.test\ndescription: ou=people,${suffix}\n`,
].join("\n");

const dn = (cn: string) => `dn.exact="cn=${cn},${suffix}"`;

beforeAll(async () => {
  slapd = await Slapd.start({
    ...mailboxesServer({ mailboxes: [], roots: [], separator: "/" }),
    ldif,
    globalLines: ["attributeoptions x- lang-"],
    databaseLines: [
      `access to attrs=userPassword by anonymous auth by * none`,
      `access to dn.subtree="ou=hidden,${suffix}" by group/organizationalRole/roleOccupant.exact="cn=viewers,${suffix}" read by * none`,
      `access to * by ${dn("blind")} none by * break`,
      `access to attrs=smmapUserId by ${dn("keyhole")} none by users read`,
      `access to dn.subtree="ou=people,${suffix}" by ${dn("curtain")} none by users read`,
      "access to * by users read",
      `limits ${dn("limited")} size.soft=1 size.hard=1`,
      `limits ${dn("counted")} size.unchecked=1`,
    ],
  });
});

afterAll(() => slapd?.close());

const failed = "TEMP Mailbox look-up failed, try again later";
const absent = "NOTFOUND Mailbox does not exist";

const base = (ou: string) => ({ ldap_base: `ou=${ou},${suffix}` });

function confOf(conf: LdapConf, who = "reader"): LdapConf {
  const bind = { ldap_bind_dn: `cn=${who},${suffix}`, ldap_password: password };
  return { ...mailboxesConf, ldap_uri: slapd.uri, ...base("people"), ...bind, ...conf };
}

/** Replies to keys, and what was logged about it. */
async function ask(
  conf: LdapConf,
  keys: readonly string[],
): Promise<{ readonly replies: readonly string[]; readonly log: string }> {
  const { log, lines } = keepingLog();
  const service = await openLdapService(conf, log);
  try {
    const replies: string[] = [];
    for (const key of keys) replies.push(await service.ask(key));
    return { replies, log: lines.join("\n") };
  } finally {
    await service.close();
  }
}

describe("an entry's attributes", () => {
  it.each<[string, string, string]>([
    ["anna", "OK anna", ""],
    ["bert", "TEMP Over quota", "smmapLimit has several values, the first is used"],
    ["carl", failed, 'smmapLimit "plenty" is not a number'],
    ["dora", failed, 'smmapUsage "some" is not a number'],
    ["emil", "OK emil", ""],
    ["fred", failed, "smmapUsage is negative"],
    ["gina", "TEMP Over quota", ""],
    ["iris", failed, "mail is temporarily refused by its status"],
    ["jack", absent, ""],
    ["kate", failed, "smmapStatus has contradictory values"],
    ["lena", failed, '"unheard-of" is not a listed status value'],
    ["mike+Lists", "OK mike+Lists", ""],
    // A value that cannot be read could be any folder.
    ["mike+\ufffd", failed, "smmapFolder is not UTF-8"],
    ["mike+Nope", failed, "smmapFolder is not UTF-8"],
    ["mike", "OK mike", ""],
    ["+odd", failed, '"anyone whatever" is not a valid rights value'],
    ["+room", "PERM Permission denied", ""],
  ])("of %s lead to %s", async (key, reply, words) => {
    const { replies, log } = await ask(confOf({}), [key]);
    expect(replies).toEqual([reply]);
    expect(log).toContain(words);
    if (words === "") expect(log).not.toMatch(/^error/m);
  });

  it("that are wrong keep nobody else from an answer", async () => {
    const wrong = ["carl", "iris", "lena", "kate", "fred", "+odd"].flatMap((key) => [key, key]);
    expect((await ask(confOf({}), [...wrong, "anna"])).replies).toEqual([...wrong.map(() => failed), "OK anna"]);
    const references = Array.from({ length: 10 }, () => "nobody");
    const { replies } = await ask(confOf({ ldap_base: suffix }), [...references, "anna"]);
    expect(replies).toEqual([...references.map(() => failed), "OK anna"]);
  });

  it("are known in any case, and by no other name than the server's", async () => {
    const shouted = confOf({ smmap_ldap_quota_attribute: "SMMAPLIMIT", smmap_ldap_usage_attribute: "smmapusage" });
    expect((await ask(shouted, ["anna", "bert"])).replies).toEqual(["OK anna", "TEMP Over quota"]);
    // commonName is an alias of cn, which is what slapd calls it.
    const alias = await ask(confOf({ smmap_ldap_status_attribute: "commonName" }), ["anna"]);
    expect(alias.replies).toEqual([failed]);
    expect(alias.log).toContain(
      "the server returned an attribute under the name cn: use that name in the configuration",
    );
  });
});

describe("several entries for one address", () => {
  it("are no answer, and the log names them", async () => {
    const { replies, log } = await ask(confOf(base("twins")), ["twin", "nobody"]);
    expect(replies).toEqual([failed, absent]);
    expect(log).toContain(`cn=first,ou=twins,${suffix}; cn=second,ou=twins,${suffix}`);
  });

  it("are no answer where the server shows only one", async () => {
    const { replies, log } = await ask(confOf(base("twins"), "limited"), ["twin"]);
    expect(replies).toEqual([failed]);
    expect(log).toContain("sizeLimitExceeded (4)");
  });
});

describe("what we may not see", () => {
  it.each<[string, string, LdapConf]>([
    ["the whole directory", "blind", {}],
    ["the attribute that we search by", "keyhole", {}],
    ["the people", "curtain", { ldap_base: suffix }],
    ["the people below a base that we may see", "curtain", {}],
  ])("is not absent: %s", async (_, who, conf) => {
    const { replies, log } = await ask(confOf(conf, who), ["anna", "nobody"]);
    expect(replies).toEqual([failed, failed]);
    expect(log).toMatch(/no users are visible|noSuchObject|referrals are not followed/);
  });

  it("is not absent to somebody who is not logged in", async () => {
    const { ldap_bind_dn, ldap_password, ...anonymous } = confOf({});
    expect((await ask(anonymous, ["anna", "nobody"])).replies).toEqual([failed, failed]);
  });

  it("is not absent in a part of the directory that holds nobody", async () => {
    const { replies, log } = await ask(confOf(base("empty")), ["anna"]);
    expect(replies).toEqual([failed]);
    expect(log).toContain(`no users are visible below "ou=empty,${suffix}"`);
  });

  it("is not absent when rights are taken away", async () => {
    const viewers = (operation: "add" | "delete") =>
      slapd.administer((client) =>
        client.modify(
          `cn=viewers,${suffix}`,
          new Change({
            operation,
            modification: new Attribute({ type: "roleOccupant", values: [`cn=guest,${suffix}`] }),
          }),
        ),
      );
    const service = await openLdapService(confOf(base("hidden"), "guest"));
    try {
      await viewers("add");
      expect(await service.ask("nina")).toBe("OK nina");
      expect(await service.ask("nobody")).toBe(absent);
      await viewers("delete");
      // What was seen a moment ago vouches for a moment.
      const givenUp = performance.now() + 20_000;
      while ((await service.ask("nina")) !== failed) expect(performance.now()).toBeLessThan(givenUp);
      expect(await service.ask("nobody")).toBe(failed);
      await viewers("add");
      expect(await service.ask("nina")).toBe("OK nina");
      expect(await service.ask("nobody")).toBe(absent);
    } finally {
      await service.close();
    }
  });
});

describe("a refusal", () => {
  it.each<[string, LdapConf, string, RegExp]>([
    ["of a wrong password", { ldap_password: "wrong" }, "reader", /cannot bind as .* invalidCredentials \(49\)/],
    ["of a base that is missing", base("nowhere"), "reader", /noSuchObject \(32\)/],
    ["of a base that is no DN", { ldap_base: "people" }, "reader", /invalidDNSyntax \(34\)/],
    ["of a base that lies elsewhere", base("away"), "reader", /referral \(10\): ldap:\/\/other\.example/],
    [
      "of a search without an index",
      { ldap_filter: "(smmapStatus=%u)", smmap_ldap_shared_filter: "(smmapStatus=%f)" },
      "counted",
      /adminLimitExceeded \(11\)/,
    ],
  ])("%s is no answer", async (_, conf, who, words) => {
    const { replies, log } = await ask(confOf(conf, who), ["anna", "nobody", "+nobody"]);
    expect(replies).toEqual([failed, failed, failed]);
    expect(log).toMatch(words);
    expect(log).not.toContain(password);
  });

  it("in part, a reference to another server, is no answer, unless what we look for is here", async () => {
    const { replies, log } = await ask(confOf({ ldap_base: suffix }), ["anna", "nobody"]);
    expect(replies).toEqual(["OK anna", failed]);
    expect(log).toMatch(/the server returned a referral to ldap:\/\/other\.example.*; referrals are not followed/);
  });

  it("of every search is no answer", async () => {
    const unwilling = await Slapd.start({
      ...mailboxesServer({ mailboxes: [], roots: [], separator: "/" }),
      ldif,
      globalLines: ["attributeoptions x- lang-"],
      databaseLines: ["restrict search"],
    });
    try {
      const { replies, log } = await ask(confOf({ ldap_uri: unwilling.uri }), ["anna", "nobody"]);
      expect(replies).toEqual([failed, failed]);
      expect(log).toContain("unwillingToPerform (53)");
    } finally {
      await unwilling.close();
    }
  });
});

describe("how the directory is searched", () => {
  it("follows aliases where it is told so", async () => {
    const conf = { ldap_base: `cn=shadow,${suffix}`, ldap_scope: "base" };
    expect((await ask(confOf({ ...conf, ldap_deref: "always" }), ["anna"])).replies).toEqual(["OK anna"]);
    expect((await ask(confOf({ ...conf, ldap_deref: "find" }), ["anna"])).replies).toEqual(["OK anna"]);
    expect((await ask(confOf({ ...conf, ldap_deref: "never" }), ["anna"])).replies).toEqual([failed]);
  });

  it("goes as deep as it is told", async () => {
    expect((await ask(confOf({ ldap_scope: "one" }), ["anna", "elsewhere"])).replies).toEqual(["OK anna", absent]);
    expect((await ask(confOf({ ldap_scope: "sub" }), ["elsewhere"])).replies).toEqual(["OK elsewhere"]);
  });

  it("begins where the address says", async () => {
    const conf = confOf({ ldap_base: `ou=%d,ou=people,${suffix}`, ldap_filter: "(smmapUserId=%U)" });
    const keys = ["elsewhere@elsewhere.example", "anna@elsewhere.example", "anna@nowhere.example", "x@a,ou=b"];
    expect((await ask(conf, keys)).replies).toEqual(["OK elsewhere@elsewhere.example", absent, failed, failed]);
  });

  it("finds the base of a domain by its entry", async () => {
    const conf = confOf({
      ldap_base: "o=nowhere",
      ldap_filter: "(smmapUserId=%U)",
      ldap_domain_base_dn: `ou=domains,${suffix}`,
      ldap_domain_result_attribute: "description",
    });
    const keys = ["anna@example.org", "anna@example.net", "nobody@example.org"];
    expect((await ask(conf, keys)).replies).toEqual(["OK anna@example.org", "OK anna@example.net", absent]);
    const unknown = await ask(conf, ["anna@unknown.test"]);
    expect(unknown.replies).toEqual([failed]);
    expect(unknown.log).toContain(`no domain unknown.test below "ou=domains,${suffix}"`);
    const standard = await ask(conf, ["anna@standard.test"]);
    expect(standard.replies).toEqual([failed]);
    expect(standard.log).toContain('searching below "dc=standard,dc=test"');
    expect((await ask(conf, ["anna@twice.test"])).log).toContain("several entries");
  });
});

describe("an address", () => {
  const nasty = [
    "*",
    "an*",
    "anna)(cn=*",
    "*)(objectClass=*",
    "(",
    ")",
    "\\",
    "\\2a",
    "anna\\00",
    "&",
    "|",
    "!",
    " anna",
  ];

  it.each(nasty)("like %j is looked for as it is", async (key) => {
    expect((await ask(confOf({}), [key, `+${key}`])).replies).toEqual([absent, absent]);
  });

  it("may hold any octet, and have ten thousand of them", async () => {
    const store = openLdapStore(confOf({}));
    const users = [
      "an\0na",
      "\0",
      "\x01\x7f",
      "ä",
      "\u{1f4a9}",
      "a".repeat(10_000),
      "*".repeat(10_000),
      "é".repeat(5_000),
    ];
    const told: (MailboxFacts | StoreError)[] = [];
    for (const user of users) {
      const mailbox = { kind: "user", user, domain: null, folders: [], address: user, detail: null } as const;
      told.push(await store.lookup(mailbox, new Lookup()));
    }
    await store.close();
    expect(told).toEqual(users.map(() => ({ exists: false })));
  });
});
