import { describe, expect, it } from "vitest";
import { configErrorOf, configOf } from "./config-of.ts";

describe("which line counts", () => {
  it.each<[title: string, lines: string, value: string | null]>([
    ["nothing", "", ""],
    ["a generic line", "postuser: gen\n", "gen"],
    ["a line for the service", "smmap_postuser: svc\n", "svc"],
    ["both, the service first", "smmap_postuser: svc\npostuser: gen\n", "svc"],
    ["both, the service last", "postuser: gen\nsmmap_postuser: svc\n", "svc"],
    ["generic lines around it", "postuser: a\nsmmap_postuser: svc\npostuser: b\n", "svc"],
    ["upper case", "SMMAP_PostUser: svc\n", "svc"],
    ["another service", "lmtp_postuser: x\npostuser: gen\n", "gen"],
  ])("%s", (_, lines, value) => {
    expect(configOf(lines).string("postuser")).toBe(value);
  });

  it("depends on the name of the service", () => {
    const lines = "postuser: gen\nsmmap_postuser: a\nSmmapTwo_postuser: b\nsmmaptwo_smmap_query_timeout: 9s\n";
    expect(configOf(lines, { service: "SmmapTwo" }).string("postuser")).toBe("b");
    expect(configOf(lines, { service: "smmaptwo" }).duration("smmap_query_timeout")).toBe(9);
    expect(configOf(lines, { service: "smmap" }).string("postuser")).toBe("a");
    expect(configOf(lines, { service: "lmtp" }).string("postuser")).toBe("gen");
  });

  it("sets an option of smmapd by its plain name, and by the name with the service's prefix", () => {
    expect(configOf("smmap_pool_size: 3\n").integer("smmap_pool_size")).toBe(3);
    const both = "smmap_pool_size: 3\nsmmap_smmap_pool_size: 4\n";
    expect(configOf(both).integer("smmap_pool_size")).toBe(4);
  });
});

describe("an option set twice", () => {
  it.each<[lines: string, name: string, second: number, first: number]>([
    ["postuser: z\npostuser: y\n", "postuser", 3, 2],
    ["postuser: z\nPOSTUSER: y\n", "postuser", 3, 2],
    ["smmap_postuser: z\n\nsmmap_postuser: y\n", "smmap_postuser", 4, 2],
    ["smmap_postuser: z\npostuser: x\nsmmap_postuser: y\n", "smmap_postuser", 4, 2],
    ["smmap_foo: z\nsmmap_foo: y\n", "smmap_foo", 3, 2],
    ["foo: z\nfoo: y\n", "foo", 3, 2],
    ["smmap_pool_size: 1\nsmmap_pool_size: 1\n", "smmap_pool_size", 3, 2],
    ["timeout: 1\ntimeout: 1\n", "timeout", 3, 2],
  ])("%j is refused", (lines, name, second, first) => {
    expect(configErrorOf(() => configOf(lines))).toBe(
      `option '${name}' was specified twice in config file (second occurrence on line ${second} of imapd.conf, ` +
        `first on line ${first} of imapd.conf)`,
    );
  });

  it("is not an error if one name has the service's prefix and the rest is unknown", () => {
    expect(configOf("smmap_foo: z\nfoo: y\n").string("foo")).toBe("z");
  });
});

describe("deprecated names", () => {
  it("work, with a warning", () => {
    const config = configOf("ldap_servers: ldap://a\n");
    expect(config.string("ldap_uri")).toBe("ldap://a");
    expect(config.warnings()).toEqual([
      "imapd.conf:2: Option 'ldap_servers' is deprecated in favor of 'ldap_uri' since version 2.5.0.",
    ]);
  });

  it.each([
    ["ldap_sasl_authc", "ldap_id"],
    ["ldap_sasl_authz", "ldap_authz"],
    ["ldap_sasl_mech", "ldap_mech"],
    ["ldap_sasl_password", "ldap_password"],
    ["ldap_tls_cacert_file", "ldap_ca_file"],
    ["ldap_tls_cacert_dir", "ldap_ca_dir"],
    ["ldap_tls_cert", "ldap_client_cert"],
    ["ldap_tls_key", "ldap_client_key"],
    ["ldap_tls_ciphers", "ldap_ciphers"],
    ["ldap_tls_check_peer", "ldap_verify_peer"],
  ])("%s stands for %s", (deprecated, name) => {
    const [option] = configOf(`${deprecated}: 1\n`)
      .effective()
      .filter((effective) => effective.name === name);
    expect(option).toMatchObject({ isSet: true, origin: `imapd.conf:2 (as ${deprecated})` });
  });

  it.each([
    "ldap_servers: ldap://old\nldap_uri: ldap://new\n",
    "ldap_uri: ldap://new\nldap_servers: ldap://old\n",
    "ldap_uri: ldap://new\nsmmap_ldap_servers: ldap://old\n",
  ])("are overridden by the new name: %j", (lines) => {
    expect(configOf(lines).string("ldap_uri")).toBe("ldap://new");
  });

  it("may be set for the service", () => {
    expect(configOf("ldap_servers: ldap://a\nsmmap_ldap_servers: ldap://b\n").string("ldap_uri")).toBe("ldap://b");
  });
});
