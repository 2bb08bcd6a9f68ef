import { describe, expect, it } from "vitest";
import { expandFilter } from "../../../adapters/ldap/filter.ts";
import { presets } from "../../../adapters/ldap/presets.ts";
import { type LdapConf, openLdapStore, parseLdapConf } from "../../../fixtures/servers/ldap-store.ts";
import { keys } from "../../../src/config/keys.ts";
import { ConfigError } from "../../../src/store/store.ts";

const plain: LdapConf = { ldap_uri: "ldap://localhost", ldap_base: "dc=test", smmap_ldap_preset: "custom" };

const optionsOf = (conf: LdapConf) => parseLdapConf({ ...plain, ...conf }).options;
const warningsOf = (conf: LdapConf) => {
  const { config } = parseLdapConf({ ...plain, ...conf });
  return config.warnings().map((line) => line.replace(/^.*imapd\.conf(?::\d+)?: /, ""));
};

describe("the options", () => {
  it("are those of Cyrus where nothing is said", () => {
    const { connection, directory, recipients } = optionsOf({});
    expect(connection).toMatchObject({
      poolSize: 2,
      startTls: false,
      bind: { kind: "anonymous" },
      timeout: 5000,
      tls: {
        verifyPeer: false,
        files: { caFile: null, caDirectory: null, certificateFile: null, keyFile: null },
        ciphers: null,
      },
    });
    expect(directory).toMatchObject({ scope: "sub", derefAliases: "never", sizeLimit: 2, timeLimit: 5, domains: null });
    expect(recipients).toMatchObject({
      sharedFilter: null,
      nameAttribute: null,
      storage: null,
      messages: null,
      zeroIsUnlimited: true,
      status: null,
      aclAttribute: null,
      folderAttribute: null,
      separator: "/",
    });
    const values = new Map<string, [string]>([["u", ["fred"]]]);
    expect(expandFilter(recipients.userFilter, values)?.toString()).toBe("(uid=fred)");
  });

  it("are written with the service's prefix where ptloader reads the same file", () => {
    const conf = { ldap_uri: "ldap://pts", smmap_ldap_uri: "ldap://ours ldap://other", smmap_ldap_scope: "one" };
    const { connection, directory } = optionsOf(conf);
    expect(connection.endpoints.map(({ uri }) => uri)).toEqual(["ldap://ours", "ldap://other"]);
    expect(directory.scope).toBe("one");
  });

  it("hold all that was said", () => {
    const { connection, directory, recipients } = optionsOf({
      ldap_size_limit: "10",
      ldap_time_limit: "90s",
      ldap_timeout: "2s",
      ldap_deref: "always",
      smmap_pool_size: "4",
      ldap_domain_base_dn: "ou=domains",
      ldap_domain_scope: "one",
      ldap_user_attribute: "uid",
      unixhierarchysep: "no",
      smmap_quota_zero: "zero",
      smmap_ldap_quota_attribute: "limit",
      smmap_ldap_usage_attribute: "used",
      smmap_ldap_quota_unit: "m",
      smmap_ldap_messages_attribute: "count",
      smmap_ldap_messages_usage_attribute: "counted",
      smmap_ldap_status_attribute: "status",
      smmap_ldap_status_values: "Active=ok  a=b=notfound x=temp",
      smmap_ldap_folder_attribute: "folder",
    });
    expect(connection).toMatchObject({ poolSize: 4, timeout: 2000 });
    expect(directory).toMatchObject({ sizeLimit: 10, timeLimit: 90, derefAliases: "always" });
    expect(directory.domains).toMatchObject({
      base: "ou=domains",
      scope: "one",
      nameAttribute: "associateddomain",
      resultAttribute: "inetdomainbasedn",
    });
    expect(recipients).toMatchObject({
      nameAttribute: "uid",
      storage: { limit: "limit", usage: "used", unit: "m" },
      messages: { limit: "count", usage: "counted" },
      zeroIsUnlimited: false,
      folderAttribute: "folder",
      separator: ".",
    });
    expect([...(recipients.status?.meanings ?? [])]).toEqual([
      ["active", "ok"],
      ["a=b", "notfound"],
      ["x", "temp"],
    ]);
  });

  it("of a preset give way one by one", () => {
    const usage = { smmap_ldap_usage_attribute: "used" };
    const { recipients } = optionsOf({ smmap_ldap_preset: "univention", ...usage });
    expect(recipients.storage).toEqual({ limit: "univentionMailUserQuota", usage: "used", unit: "m" });
    const other = optionsOf({ smmap_ldap_preset: "univention", ...usage, smmap_ldap_quota_unit: "g" }).recipients;
    expect(other.storage?.unit).toBe("g");
    expect(optionsOf({ smmap_ldap_preset: "qmail", ldap_user_attribute: "cn" }).recipients.nameAttribute).toBe("cn");
    const filter = optionsOf({ smmap_ldap_preset: "qmail", ldap_filter: "(x=1)" }).recipients.userFilter;
    expect(expandFilter(filter, new Map())?.toString()).toBe("(x=1)");
  });

  it.each(Object.keys(presets))("of the preset %s can be used", (preset) => {
    const { options } = parseLdapConf({
      ldap_uri: "ldap://localhost",
      ldap_base: "dc=test",
      smmap_ldap_preset: preset,
    });
    expect(options.recipients.storage).toBeNull();
    const store = openLdapStore({ ...plain, smmap_ldap_preset: preset });
    expect(store.capabilities.quota).toEqual([]);
  });

  it("name every preset that there is", () => {
    const words = keys.find(({ name }) => name === "smmap_ldap_preset")?.values;
    expect(Object.keys(presets).sort()).toEqual([...(words ?? [])].sort());
  });
});

describe("a store's capabilities", () => {
  it("follow from its options", () => {
    expect(openLdapStore(plain).capabilities).toEqual({ folders: false, shared: false, quota: [] });
    expect(openLdapStore({ ...plain, smmap_ldap_preset: "kolab" }).capabilities.shared).toBe(true);
    expect(openLdapStore({ ...plain, smmap_ldap_preset: "qmail" }).capabilities.shared).toBe(false);
    const conf = {
      ...plain,
      smmap_ldap_preset: "qmail",
      smmap_ldap_usage_attribute: "used",
      smmap_ldap_messages_usage_attribute: "counted",
      smmap_ldap_folder_attribute: "folder",
    };
    expect(openLdapStore(conf).capabilities).toEqual({ folders: true, shared: false, quota: ["STORAGE", "MESSAGE"] });
  });
});

describe("the bind", () => {
  const login = { ldap_bind_dn: "cn=a", ldap_password: "secret" };

  it.each<[LdapConf, object]>([
    [{}, { kind: "anonymous" }],
    [login, { kind: "simple", dn: "cn=a", password: "secret" }],
    [
      { ...login, ldap_sasl: "no", ldap_mech: "PLAIN" },
      { kind: "simple", dn: "cn=a", password: "secret" },
    ],
    [{ ldap_mech: "EXTERNAL" }, { kind: "external", authorizationId: "" }],
    [
      { ldap_mech: "external", ldap_authz: "u:a" },
      { kind: "external", authorizationId: "u:a" },
    ],
    [
      { ldap_mech: "PLAIN", ldap_id: "a", ldap_password: "b", ldap_authz: "c" },
      { kind: "plain", authorizationId: "c", id: "a", password: "b" },
    ],
  ])("by %j is %j", (conf, bind) => {
    expect(optionsOf(conf).connection.bind).toEqual(bind);
  });
});

describe("a mistake in the configuration", () => {
  it.each<[string, LdapConf, RegExp]>([
    [
      "a unit that nobody says",
      { smmap_ldap_preset: "generic", smmap_ldap_usage_attribute: "used" },
      /smmap_ldap_quota_unit: is required here: one of b, k, m, g/,
    ],
    [
      "a preset's unit for another attribute",
      { smmap_ldap_preset: "kolab", smmap_ldap_quota_attribute: "x", smmap_ldap_usage_attribute: "y" },
      /smmap_ldap_quota_unit/,
    ],
    ["usage without a limit", { smmap_ldap_usage_attribute: "used" }, /requires smmap_ldap_quota_attribute/],
    [
      "message usage without a limit",
      { smmap_ldap_messages_usage_attribute: "x" },
      /requires smmap_ldap_messages_attribute/,
    ],
    ["values of no status", { smmap_ldap_status_values: "a=ok" }, /requires smmap_ldap_status_attribute/],
    ["a status without values", { smmap_ldap_status_attribute: "a" }, /smmap_ldap_status_values.*is required/],
    [
      "a status value without meaning",
      { smmap_ldap_status_attribute: "a", smmap_ldap_status_values: "b=maybe" },
      /b=maybe must be/,
    ],
    [
      "a status value twice",
      { smmap_ldap_status_attribute: "a", smmap_ldap_status_values: "b=ok B=temp" },
      /B=temp must be/,
    ],
    ["a malformed filter", { ldap_filter: "(uid=%u" }, /ldap_filter.*"\)" is missing/],
    ["a malformed shared filter", { smmap_ldap_shared_filter: "(%f)" }, /smmap_ldap_shared_filter.*malformed/],
    [
      "a malformed filter of domains",
      { ldap_domain_base_dn: "x", ldap_domain_filter: "(a=%u)" },
      /ldap_domain_filter.*%u is not available here/,
    ],
    ["a folder's path in a user's filter", { ldap_filter: "(cn=%f)" }, /%f is not available here/],
    ["a token in the base that is none", { ldap_base: "ou=%x" }, /ldap_base.*%x is not available here/],
    [
      "a user in the base of shared folders",
      { ldap_base: "ou=%U", smmap_ldap_shared_filter: "(mail=%u)" },
      /ldap_base.*%u and %U have no value for shared folders/,
    ],
    [
      "paths of shared folders without rights",
      { smmap_ldap_shared_filter: "(cn=%f)" },
      /smmap_ldap_acl_attribute.*the right to post/,
    ],
    ["an attribute that is none", { smmap_ldap_folder_attribute: "a b" }, /is not an attribute name/],
    ["the star for all attributes", { ldap_user_attribute: "*" }, /is not an attribute name/],
    ["a URL that is none", { ldap_uri: "ldap://a http://b" }, /http:\/\/b must begin with/],
    ["an old protocol", { ldap_version: "2" }, /only version 3/],
    ["no connections", { smmap_pool_size: "0" }, /smmap_pool_size.*1 or more/],
    ["no time", { ldap_timeout: "0" }, /ldap_timeout.*greater than 0/],
    ["a DN without a password", { ldap_bind_dn: "cn=a" }, /ldap_password.*is required/],
    ["a login without a mechanism", { ldap_id: "a" }, /ldap_id.*requires ldap_mech/],
    ["PLAIN without an identity", { ldap_mech: "PLAIN", ldap_password: "x" }, /ldap_id.*is required/],
    ["PLAIN without a password", { ldap_mech: "PLAIN", ldap_id: "x" }, /ldap_password.*is required/],
    ["a mechanism that we do not speak", { ldap_mech: "GSSAPI" }, /only EXTERNAL and PLAIN/],
    ["a certificate without a key", { ldap_client_cert: "/a" }, /ldap_client_key.*is required/],
    ["a key without a certificate", { ldap_client_key: "/a" }, /ldap_client_cert.*is required/],
    ["ciphers that are none", { ldap_ciphers: "NORMAL:%COMPAT" }, /ldap_ciphers.*OpenSSL/],
  ])("is found: %s", (_, conf, words) => {
    expect(() => optionsOf(conf)).toThrow(ConfigError);
    expect(() => optionsOf(conf)).toThrow(words);
  });

  it("needs a URL", () => {
    expect(() => parseLdapConf({ ldap_base: "dc=test" })).toThrow(/ldap_uri.*is required/);
  });
});

describe("a warning", () => {
  const noUsage = "smmap_ldap_usage_attribute: without it no mailbox is over quota";

  it("tells that no mailbox will be over quota", () => {
    expect(warningsOf({})).toEqual([expect.stringContaining(noUsage)]);
  });

  it.each<[string, LdapConf, string]>([
    [
      "of TLS without verification",
      { ldap_uri: "ldaps://a" },
      "ldap_verify_peer: the server's certificate is not verified",
    ],
    ["of StartTLS without verification", { ldap_start_tls: "yes" }, "ldap_verify_peer: the server's"],
    [
      "of a password in clear text",
      {
        ldap_uri: "ldaps://a ldap://b.example",
        ldap_verify_peer: "yes",
        ldap_bind_dn: "cn=a",
        ldap_password: "secret",
      },
      "ldap_password: is sent to ldap://b.example in clear text",
    ],
  ])("tells %s", (_, conf, words) => {
    const others = warningsOf(conf).filter((line) => !line.startsWith(noUsage));
    expect(others).toEqual([expect.stringContaining(words)]);
    expect(others.join()).not.toContain("secret'");
  });

  it("tells of a search from the root", () => {
    const { config } = parseLdapConf({ ldap_uri: "ldap://localhost" });
    expect(config.warnings().join("\n")).toContain("ldap_base: without it searches begin at the root");
  });
});
