import { describe, expect, it } from "vitest";
import { chooseStore } from "../../../src/config/store-choice.ts";
import { configErrorOf, configOf } from "./config-of.ts";

const sqlite = "sql_engine: sqlite\nsql_database: a.db\nsmmap_sql_query: SELECT 1\n";
const ldap = "ldap_uri: ldap://a\nsmmap_ldap_preset: kolab\n";
const imap = "smmap_imap_server: imap.test\n";

describe("the store", () => {
  it.each<[lines: string, name: string, reason: string]>([
    ["smmap_store: imap\n", "imap", "smmap_store: imap"],
    [`smmap_store: ldap\n${sqlite}${imap}`, "ldap", "smmap_store: ldap"],
    ["smmap_store: ./mine.js\n", "./mine.js", "smmap_store: ./mine.js"],
    [imap, "imap", "smmap_imap_server is set"],
    [`smmap_store: auto\n${imap}`, "imap", "smmap_imap_server is set"],
    [sqlite, "sqlite", "sql_engine is sqlite, sql_database and smmap_sql_query are set"],
    [ldap, "ldap", "ldap_uri and smmap_ldap_preset are set"],
    ["smmap_ldap_uri: ldap://a\n", "ldap", "smmap_ldap_uri is set"],
    ["ldap_uri: ldap://a\nsmmap_ldap_filter: (mail=%u)\n", "ldap", "ldap_uri and smmap_ldap_filter are set"],
    ["proxy_password: x\n", "imap", "proxy_password is set, and no other store is described"],
    ["smmap_imap_password: x\n", "imap", "smmap_imap_password is set, and no other store is described"],
    // A password alone does not count if the file describes another store.
    [`proxy_password: x\n${sqlite}`, "sqlite", "sql_engine is sqlite, sql_database and smmap_sql_query are set"],
  ])("of %j is %s", (lines, name, reason) => {
    expect(chooseStore(configOf(lines))).toEqual({ name, reason });
  });

  it("depends on the name of the service", () => {
    const lines = "ldap_uri: ldap://a\ntwo_ldap_filter: (mail=%u)\nsmmap_imap_server: a\ntwo_smmap_store: ldap\n";
    expect(chooseStore(configOf(lines)).name).toBe("imap");
    expect(chooseStore(configOf(lines, { service: "two" })).name).toBe("ldap");
  });

  it.each([
    "",
    "smmap_store: auto\n",
    "ldap_uri: ldap://a\nldap_base: o=x\n",
    "smmap_ldap_preset: kolab\n",
    "sql_engine: sqlite\nsql_database: a.db\n",
    "sql_engine: mysql\nsql_database: a\nsmmap_sql_query: SELECT 1\n",
    "sql_database: a\nsmmap_sql_query: SELECT 1\n",
    "lmtp_ldap_uri: ldap://a\n",
  ])("of %j is an error", (lines) => {
    expect(configErrorOf(() => chooseStore(configOf(lines)))).toMatch(/smmap_store: no store is configured: set /);
  });

  it.each([sqlite + ldap, sqlite + imap, ldap + imap])("is an error if two are described: %j", (lines) => {
    expect(configErrorOf(() => chooseStore(configOf(lines)))).toContain("several stores are configured");
  });

  it("is an error if three are described, and the error lists them", () => {
    expect(configErrorOf(() => chooseStore(configOf(sqlite + ldap + imap)))).toBe(
      "imapd.conf: smmap_store: several stores are configured, name one of them here: " +
        "sqlite (sql_engine is sqlite, sql_database and smmap_sql_query are set), " +
        "ldap (ldap_uri and smmap_ldap_preset are set), imap (smmap_imap_server is set) (the file does not set it)",
    );
  });
});
