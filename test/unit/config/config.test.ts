import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Config, loadConfig } from "../../../src/config/config.ts";
import { cyrusOptions } from "../../../src/config/cyrus-options.ts";
import { keys } from "../../../src/config/keys.ts";
import { deprecatedNames } from "../../../src/config/options.ts";
import { misspeltOption } from "../../../src/config/typos.ts";
import { ConfigError, type ConfigReader, type KeyDefinition } from "../../../src/store/store.ts";
import { configErrorOf, configOf, parse } from "./config-of.ts";

const text = "For a test.";
const foreign: readonly KeyDefinition[] = [
  { name: "mine_word", type: "string", default: null, text },
  { name: "mine_path", type: "path", default: null, text },
  { name: "mine_number", type: "integer", default: null, text },
  { name: "mine_key", type: "string", default: null, secret: true, text },
  { name: "mine_pin", type: "choice", values: ["1234"], default: "1234", secret: true, text },
];

describe("configdirectory", () => {
  it.each<[line: string, error: string]>([
    ["", "configdirectory option not specified in configuration file imapd.conf"],
    ["configdirectory: var\n", "imapd.conf:1: configdirectory: must be fully qualified (value 'var')"],
    ["configdirectory: /\n", "imapd.conf:1: configdirectory: must not be '/' (value '/')"],
  ])("%j is refused", (line, error) => {
    expect(configErrorOf(() => new Config(parse(line), "smmap"))).toBe(error);
  });

  it.each<[value: string, expanded: string]>([
    ["{configdirectory}/x", "/var/lib/imap/x"],
    ["{ConfigDirectory}", "/var/lib/imap"],
    ["x{configdirectory}", "x{configdirectory}"],
    ["{configdirectory}{configdirectory}", "/var/lib/imap{configdirectory}"],
  ])("stands for %j: %j", (value, expanded) => {
    expect(configOf(`postuser: ${value}\n`).string("postuser")).toBe(expanded);
  });

  it("is inserted literally, including dollar signs", () => {
    const config = new Config(parse("configdirectory: /a$&b\npostuser: {configdirectory}/x\n"), "smmap");
    expect(config.string("postuser")).toBe("/a$&b/x");
  });

  it("is not expanded in an unknown option", () => {
    expect(configOf("imap1_password: {configdirectory}\n").string("imap1_password")).toBe("{configdirectory}");
  });
});

describe("paths", () => {
  it.each<[lines: string, key: string, path: string | null]>([
    ["", "sql_database", null],
    ["sql_database: a/b.db\n", "sql_database", "/var/lib/imap/a/b.db"],
    ["sql_database: /a/b.db\n", "sql_database", "/a/b.db"],
    ["sql_database: {configdirectory}/b.db\n", "sql_database", "/var/lib/imap/b.db"],
    ["mine_path: b\n", "mine_path", "/var/lib/imap/b"],
    ["ldap_ca_file: ca.pem\n", "ldap_ca_file", "ca.pem"],
    ["ldap_ca_file: {configdirectory}/ca.pem\n", "ldap_ca_file", "/var/lib/imap/ca.pem"],
    ["", "configdirectory", "/var/lib/imap"],
  ])("%j: %s is %j", (lines, key, path) => {
    expect(configOf(lines, { keys: foreign }).path(key)).toBe(path);
  });
});

describe("values", () => {
  it("are those of the file, or the defaults", () => {
    const config = configOf("unixhierarchysep: no\nsmmap_query_timeout: 1m\nldap_uri: ldap://a\n");
    expect(config.switch("unixhierarchysep")).toBe(false);
    expect(config.duration("smmap_query_timeout")).toBe(60);
    expect(config.string("ldap_uri")).toBe("ldap://a");
    expect(config.switch("lmtp_downcase_rcpt")).toBe(true);
    expect(config.choice("virtdomains")).toBe("off");
    expect(config.integer("smmap_pool_size")).toBe(2);
    expect(config.bytes("smmap_request_max")).toBe(16384);
    expect(config.string("postuser")).toBe("");
    expect(config.string("ldap_bind_dn")).toBeNull();
  });

  it.each<[line: string, read: (config: ConfigReader) => unknown, error: string]>([
    ["smmap_pool_size: 1k", (c) => c.integer("smmap_pool_size"), "non-integer value for smmap_pool_size"],
    ["ldap_sasl: Yes", (c) => c.switch("ldap_sasl"), "non-switch value for ldap_sasl"],
    ["virtdomains: Userid", (c) => c.choice("virtdomains"), "invalid value 'Userid' for virtdomains"],
    ["sql_engine: SQLite", (c) => c.choice("sql_engine"), "invalid value 'SQLite' for sql_engine"],
    ["ldap_timeout: 5 s", (c) => c.duration("ldap_timeout"), "unparsable duration '5 s' for ldap_timeout"],
    ["smmap_request_max: 1T", (c) => c.bytes("smmap_request_max"), "unparsable byte size '1T' for smmap_request_max"],
    ["mine_pin: 4321", (c) => c.choice("mine_pin"), "invalid value '********' for mine_pin"],
  ])("%j is refused", (line, read, error) => {
    const config = configOf(`\n${line}\n`, { keys: foreign });
    const message = configErrorOf(() => read(config));
    expect(message).toContain(`${error} in line 3 of configuration file imapd.conf (`);
  });

  it("are an error if they are required and have no value", () => {
    const config = configOf("", { keys: foreign });
    expect(configErrorOf(() => config.integer("mine_number"))).toBe(
      "imapd.conf: mine_number: is required here: a whole number below 2^31 (the file does not set it)",
    );
  });

  it("come from the file, otherwise from an adapter's defaults", () => {
    const config = configOf("ldap_base: dc=set", { keys: foreign });
    config.setDefaults({ ldap_base: "dc=preset", ldap_filter: "(cn=%u)", mine_number: "5" }, "preset mine");
    expect(config.string("ldap_base")).toBe("dc=set");
    expect(config.string("ldap_filter")).toBe("(cn=%u)");
    expect(config.integer("mine_number")).toBe(5);
    expect(config.isSet("ldap_filter")).toBe(false);
    const shown = new Map(config.effective().map(({ name, value, origin }) => [name, `${value}, ${origin}`]));
    expect(shown.get("ldap_base")).toMatch(/^dc=set, .*imapd\.conf:\d+$/);
    expect(shown.get("ldap_filter")).toBe("(cn=%u), preset mine");
    expect(shown.get("ldap_scope")).toBe("sub, default");
  });

  it("of another type are an internal error", () => {
    const config = configOf("");
    expect(() => config.integer("postuser")).toThrow("postuser is not an option of type integer");
    expect(() => config.switch("nobody_knows")).toThrow("nobody_knows is not an option of type switch");
    expect(() => config.integer("postuser")).not.toThrow(ConfigError);
  });
});

describe("options without a definition", () => {
  it.each<[lines: string, value: string | null]>([
    ["", null],
    ["imap1_password: a\n", "a"],
    ["IMAP1_Password: a\n", "a"],
    ["smmap_imap1_password: b\n", "b"],
    ["smmap_imap1_password: b\nimap1_password: a\n", "b"],
    ["other_imap1_password: b\nimap1_password: a\n", "a"],
  ])("%j", (lines, value) => {
    expect(configOf(lines).string("IMAP1_password")).toBe(value);
    expect(configOf(lines).isSet("imap1_password")).toBe(value !== null);
  });
});

describe("further definitions", () => {
  it("may be registered later", () => {
    const config = configOf("smmap_mine_word: b\nmine_word: a\nmine_number: 0x10\n");
    config.register(foreign);
    expect(config.string("mine_word")).toBe("b");
    expect(config.integer("mine_number")).toBe(16);
  });

  it("do not replace those of the manual page", () => {
    const stolen = { name: "postuser", type: "integer", default: "1", text } as const;
    expect(configOf("", { keys: [stolen] }).string("postuser")).toBe("");
    const config = configOf("");
    config.register([stolen]);
    expect(config.string("postuser")).toBe("");
  });
});

describe("isSet", () => {
  it("considers the file only", () => {
    const config = configOf("postuser: a\nsmmap_ldap_uri: b\nldap_servers: c\nldap_sasl_mech: PLAIN\n");
    const all = ["postuser", "ldap_uri", "ldap_mech", "virtdomains"];
    expect(all.map((key) => config.isSet(key))).toEqual([true, true, true, false]);
    expect(all.map((key) => config.isSetForService(key))).toEqual([false, true, false, false]);
  });
});

describe("errors and warnings of a reader", () => {
  it("contain file, line, name as written, and value", () => {
    const config = configOf("smmap_ldap_uri: x\n");
    const description = "imapd.conf:2: smmap_ldap_uri: is no URL (value 'x')";
    expect(config.error("ldap_uri", "is no URL")).toEqual(new ConfigError(description));
    config.warn("ldap_uri", "is no URL");
    config.warn("ldap_uri", "is no URL");
    expect(config.warnings()).toEqual([description]);
  });

  it("say that the file does not set it", () => {
    expect(configOf("").error("ldap_uri", "is needed").message).toBe(
      "imapd.conf: ldap_uri: is needed (the file does not set it)",
    );
  });
});

describe("misspelt names", () => {
  it.each<[lines: string, warnings: string[]]>([
    ["smmap_imap_pasword: x\n", ["unknown option smmap_imap_pasword; did you mean smmap_imap_password?"]],
    ["smmap_qury_timeout: x\n", ["unknown option smmap_qury_timeout; did you mean smmap_query_timeout?"]],
    ["smmap_ldap_ur: x\n", ["unknown option smmap_ldap_ur; did you mean smmap_ldap_uri?"]],
    [
      "smmap_lmtp_downcase_rctp: x\n",
      ["unknown option smmap_lmtp_downcase_rctp; did you mean smmap_lmtp_downcase_rcpt?"],
    ],
    ["smmap_zzzzzzzzzzzzzzzzzzzz: x\n", ["unknown option smmap_zzzzzzzzzzzzzzzzzzzz"]],
    ["smmap_imap1_password: x\n", ["unknown option smmap_imap1_password; did you mean smmap_imap_password?"]],
    ["smmap_: x\n", ["unknown option smmap_"]],
    ["smmap_timeout: 30m\n", []],
    ["smmap_query_timeout: 1s\nsmmap_smmap_query_timeout: 2s\n", []],
    ["sasl_minimum_layer: 1\npartition-default: /a\nnonsense: 1\nlmtp_nonsense: 1\nsmmapd_x: 1\n", []],
  ])("%j", (lines, warnings) => {
    const config = configOf(lines);
    expect(config.warnings()).toEqual(warnings.map((warning) => `imapd.conf:2: ${warning}`));
  });

  it.each([
    ["virtdomain: userid", "unknown option virtdomain; did you mean virtdomains?"],
    ["ldap_flter: (mail=%u)", "unknown option ldap_flter; did you mean ldap_filter?"],
    ["LDAP_Filer: (mail=%u)", "unknown option ldap_filer; did you mean ldap_filter?"],
    ["ldap-uri: ldap://a", "unknown option ldap-uri; did you mean ldap_uri?"],
    ["ldap_server: ldap://a", "unknown option ldap_server; did you mean ldap_servers?"],
    ["default_domain: a.example", "unknown option default_domain; did you mean defaultdomain?"],
    ["unix_hierarchy_sep: no", "unknown option unix_hierarchy_sep; did you mean unixhierarchysep?"],
    ["lmtp_downcase_rctp: no", "unknown option lmtp_downcase_rctp; did you mean lmtp_downcase_rcpt?"],
    ["proxy_passwrd: x", "unknown option proxy_passwrd; did you mean proxy_password?"],
    ["smap_store: ldap", "unknown option smap_store; did you mean smmap_store?"],
    ["smmapstore: ldap", "unknown option smmapstore; did you mean smmap_store?"],
    ["smmaq_query_timeout: 1s", "unknown option smmaq_query_timeout; did you mean smmap_query_timeout?"],
    ["mine_numbr: 1", "unknown option mine_numbr; did you mean mine_number?"],
  ])("without our prefix cause a warning: %s", (line, warning) => {
    expect(configOf(`\n${line}\n`, { keys: foreign }).warnings()).toEqual([`imapd.conf:3: ${warning}`]);
  });

  it.each([
    [
      "partitions",
      ["partition-default", "metapartition-default", "archivepartition-a", "alpha_searchpartition-default"],
    ],
    ["options of SASL", ["sasl_mech_list", "sasl_pwcheck_method", "sasl_sql_engine", "sasl_ldapdb_uri", "sasl_debug"]],
    ["options of servers", ["ldap1_password", "proxy2_password", "ldap2_client_cert", "mx_mechs", "proxy1_client_key"]],
    ["options of channels", ["alpha_sync_host", "alpha_sync_password", "alpha_sync_try_imap"]],
    [
      "options of services",
      ["imap_virtdomains", "lmtp_debug", "imaps_tls_server_cert", "imapldap_ldap_uri", "x_admins"],
    ],
    ["options of other programs", ["lmtp_luser_relay", "saslauthd_path", "idlemethod", "ldap_search_base", "a", "id"]],
  ])("are not found in %s", (_what, names) => {
    expect(configOf(names.map((name) => `${name}: x\n`).join("")).warnings()).toEqual([]);
  });

  it("are not found in any option of Cyrus, with or without the name of a service", () => {
    const names = [...cyrusOptions].filter((name) => name !== "configdirectory" && !deprecatedNames.includes(name));
    const lines = names.map((name) => `${name}: x\nimap_${name}: x\nother-service_${name}: x\n`);
    expect(configOf(lines.join("")).warnings()).toEqual([]);
  });

  it("are found in only one option that Cyrus could add, judged by the present ones", () => {
    const read = keys.map(({ name }) => name);
    const others = [...cyrusOptions].filter((name) => !read.includes(name));
    expect(others.length).toBeGreaterThan(400);
    const mistaken = others.filter((name) => misspeltOption(name, read, () => false) !== null);
    expect(mistaken).toEqual(["tls_client_certs"]);
  });

  it("are also found with the prefix of the service", () => {
    const lines = "smmaptwo_ldap_ure: x\nsmmap_ldap_uri: y\nsmmaptwo_smmap_pool_sice: 1\n";
    expect(configOf(lines, { service: "smmaptwo" }).warnings()).toEqual([
      "imapd.conf:2: unknown option smmaptwo_ldap_ure; did you mean smmaptwo_ldap_uri?",
      "imapd.conf:4: unknown option smmaptwo_smmap_pool_sice; did you mean smmaptwo_smmap_pool_size?",
    ]);
  });

  it("do not include names that were read", () => {
    const config = configOf("smmap_imap1_password: x\nsmmap_other_thing: y\n");
    config.string("imap1_password");
    config.string("smmap_other_thing");
    expect(config.warnings()).toEqual([]);
  });

  it("do not include registered names", () => {
    const config = configOf("smmap_mine_word: x\n");
    expect(config.warnings()).toHaveLength(1);
    config.register(foreign);
    expect(config.warnings()).toEqual([]);
  });
});

describe("secrets", () => {
  const secret = "hunter2";
  const lines = [
    "ldap_password",
    "proxy_password",
    "smmap_smmap_imap_password",
    "mine_key",
    "imap1_password",
    "smmap_imap2_password",
    "ldap_sasl_password",
    "sql_passwd",
    "smmap_imap_paswd",
  ].map((name) => `${name}: ${secret} # ${secret}\n`);

  it("appear nowhere", () => {
    const config = configOf(lines.join(""), { keys: foreign, isWorldReadable: true });
    for (const key of ["imap1_password", "imap2_password", "ldap_password"]) {
      expect(config.string(key)).toContain(secret);
      config.warn(key, "is short");
      expect(config.error(key, "is short").message).toMatch(/_password: is short \(value \*{8}\)$/);
    }
    const shown = JSON.stringify([config.effective(), config.warnings()]);
    expect(shown).toContain("********");
    expect(shown).toContain("imap1_password");
    expect(shown).not.toContain(secret);
  });

  it("appear in no error, whatever the file contains", () => {
    const junk = fc.constantFrom(
      "a b\n",
      "x:\n",
      "@y: z\n",
      "proxy_password: z\n",
      "\\\n",
      "ldap_uri: 1\n",
      "\xef",
      " ",
    );
    fc.assert(
      fc.property(fc.array(fc.oneof(junk, fc.constantFrom(...lines))), (parts) => {
        try {
          const config = configOf(parts.join(""), { keys: foreign, isWorldReadable: true });
          const shown = JSON.stringify([config.effective(), config.warnings()]);
          expect(shown).not.toContain(secret);
        } catch (error) {
          if (!(error instanceof ConfigError)) throw error;
          expect(error.message).not.toContain(secret);
        }
      }),
    );
  });

  it("that everybody can read cause one warning for each file", () => {
    const warning = "every user of this machine can read ldap_password; chmod o-r imapd.conf";
    const both = "ldap_password: a\nproxy_password: b\n";
    expect(configOf(both, { isWorldReadable: true }).warnings()).toEqual([`imapd.conf:2: ${warning}`]);
    expect(configOf(both).warnings()).toEqual([]);
    expect(configOf("postuser: a\n", { isWorldReadable: true }).warnings()).toEqual([]);
  });
});

describe("effective options", () => {
  it("include every option, with value and origin", () => {
    const config = configOf("smmap_postuser: bb\nldap_servers: ldap://a\nvirtdomains: yes\nfoo_password: x\n");
    config.string("foo_password");
    const options = config.effective();
    expect(options.map(({ name }) => name)).toEqual([...keys.map(({ name }) => name), "foo_password"]);
    const pick = (name: string) => options.find((option) => option.name === name);
    expect(pick("postuser")).toEqual({
      name: "postuser",
      value: "bb",
      isSet: true,
      origin: "imapd.conf:2 (service override)",
      problem: null,
    });
    expect(pick("ldap_uri")).toMatchObject({ value: "ldap://a", origin: "imapd.conf:3 (as ldap_servers)" });
    expect(pick("virtdomains")).toMatchObject({ value: "yes", origin: "imapd.conf:4", problem: null });
    expect(pick("foo_password")).toMatchObject({ value: "********", origin: "imapd.conf:5" });
    expect(pick("smmap_pool_size")).toMatchObject({ value: "2", isSet: false, origin: "default" });
    expect(pick("smmap_listen")).toMatchObject({ value: "/var/lib/imap/socket/smmap", origin: "default" });
    expect(pick("ldap_password")).toMatchObject({ value: null, isSet: false });
  });

  it("report every invalid value", () => {
    const problems = configOf("ldap_timeout: x\nsmmap_pool_size: 08\n")
      .effective()
      .flatMap(({ problem }) => problem ?? []);
    expect(problems).toEqual([
      expect.stringContaining("non-integer value for smmap_pool_size in line 3"),
      expect.stringContaining("unparsable duration 'x' for ldap_timeout in line 2"),
    ]);
  });
});

describe("loadConfig", () => {
  it("reads a file, with the service and the prefix of the environment", () => {
    const folder = mkdtempSync(join(tmpdir(), "config-"));
    try {
      const file = join(folder, "imapd.conf");
      writeFileSync(file, "configdirectory: /a\nx_postuser: bb\nmine_number: 3\nldap_password: s\n");
      chmodSync(file, 0o604);
      const config = loadConfig({ file, env: { CYRUS_SERVICE: "X" }, keys: foreign });
      expect(config.service).toBe("x");
      expect(config.string("postuser")).toBe("bb");
      expect(config.integer("mine_number")).toBe(3);
      expect(config.warnings()).toEqual([expect.stringContaining(`${file}:4: every user`)]);
      expect(loadConfig({ file: "/imapd.conf", env: { CYRUS_PREFIX: folder } }).string("postuser")).toBe("");
      expect(configErrorOf(() => loadConfig({ file: join(folder, "none"), env: {} }))).toBe(
        `can't open configuration file ${folder}/none: No such file or directory`,
      );
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
