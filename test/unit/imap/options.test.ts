import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { adapter } from "../../../adapters/imap/index.ts";
import type { ImapOptions } from "../../../adapters/imap/options.ts";
import { type Config, loadConfig } from "../../../src/config/config.ts";
import { ConfigError } from "../../../src/store/store.ts";

let directory: string;
let config: Config;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "imap-options-"));
});
afterEach(() => rmSync(directory, { recursive: true }));

function parse(...lines: string[]): ImapOptions {
  const file = join(directory, "imapd.conf");
  const password = lines.some((line) => line.includes("password")) ? [] : ["proxy_password: secret"];
  writeFileSync(file, `${["configdirectory: /var/lib/cyrus", ...password, ...lines].join("\n")}\n`, { mode: 0o600 });
  config = loadConfig({ file, env: {} });
  return adapter.parse(config) as ImapOptions;
}

describe("smmap_imap_server", () => {
  it.each<[string, string, number, string]>([
    ["localhost", "localhost", 143, "plain"],
    ["127.0.0.1:1143", "127.0.0.1", 1143, "plain"],
    ["[::1]", "::1", 143, "plain"],
    ["localhost/tls", "localhost", 993, "tls"],
    ["localhost:143/starttls", "localhost", 143, "starttls"],
    ["imap.home.test", "imap.home.test", 143, "starttls"],
    ["imap.home.test:993", "imap.home.test", 993, "tls"],
    ["imap.home.test/tls", "imap.home.test", 993, "tls"],
    ["imap.home.test:10143/plain", "imap.home.test", 10143, "plain"],
    ["[2001:db8::1]:993/tls", "2001:db8::1", 993, "tls"],
    ["128.0.0.1", "128.0.0.1", 143, "starttls"],
  ])("%s", (word, host, port, security) => {
    expect(parse(`smmap_imap_server: ${word}`).servers).toMatchObject([{ host, port, security }]);
  });

  it("is the local one by default", () => {
    expect(parse().servers).toMatchObject([{ host: "localhost", port: 143, security: "plain" }]);
  });

  it("may name several, in the order of preference", () => {
    const { servers } = parse("smmap_imap_server: a.test/tls  b.test:1143");
    expect(servers.map(({ host }) => host)).toEqual(["a.test", "b.test"]);
  });

  it.each(["a.test:0", "a.test:65536", "a.test:x", "a.test/ssl", "::1", "a.test:143/tls/plain", "/tls", "a b/c"])(
    "is refused as %s",
    (word) => {
      expect(() => parse(`smmap_imap_server: ${word}`)).toThrow(ConfigError);
      expect(() => parse(`smmap_imap_server: ${word}`)).toThrow(/imapd\.conf:3: smmap_imap_server: /);
    },
  );

  it("is warned about where the password would cross the network in clear text", () => {
    parse("smmap_imap_server: a.test/plain");
    expect(config.warnings()).toEqual([expect.stringMatching(/a\.test gets the password in clear text/)]);
    parse("smmap_imap_server: localhost/plain a.test");
    expect(config.warnings()).toEqual([]);
  });
});

describe("the login", () => {
  it("is proxy_authname's with proxy_password, unless ours are set", () => {
    expect(parse().servers[0]?.login).toEqual({ user: "proxy", password: "secret", userid: null });
    expect(parse("proxy_authname: cyrus", "proxy_password: a").servers[0]?.login).toMatchObject({ user: "cyrus" });
    const lines = ["proxy_authname: x", "proxy_password: y", "smmap_imap_authname: u", "smmap_imap_password: p"];
    expect(parse(...lines, "smmap_imap_userid: z").servers[0]?.login).toEqual({
      user: "u",
      password: "p",
      userid: "z",
    });
  });

  it("has a password for each server by its short name", () => {
    const { servers } = parse(
      "smmap_imap_server: one.home.test two.home.test",
      "two_password: second",
      "proxy_password: other",
    );
    expect(servers.map(({ login }) => login.password)).toEqual(["other", "second"]);
  });

  it("needs a password", () => {
    expect(() => parse("smmap_imap_server: one.home.test", "two_password: second")).toThrow(
      /smmap_imap_password: no password for one\.home\.test: set it, or one_password, or proxy_password/,
    );
  });

  it("is not that of another domain, which would see other people's mailboxes under the same names", () => {
    const virtual = ["virtdomains: userid", "defaultdomain: home.test"];
    expect(() => parse(...virtual, "proxy_authname: admin@hill.test")).toThrow(
      /smmap_imap_authname: .*of a? ?.*domain/,
    );
    expect(() => parse(...virtual, "smmap_imap_userid: admin@hill.test")).toThrow(/imapd\.conf:5: smmap_imap_userid/);
    expect(parse(...virtual, "proxy_authname: admin@home.test").servers[0]?.login.user).toBe("admin@home.test");
    expect(parse("proxy_authname: admin@hill.test").servers[0]?.login.user).toBe("admin@hill.test");
  });
});

describe("the rest", () => {
  it("has defaults", () => {
    expect(parse()).toMatchObject({
      separator: "/",
      defaultDomain: null,
      postIdentity: "anyone",
      exactQuota: false,
      poolSize: 2,
      connectTimeout: 10_000,
      servers: [{ keepAlive: { enabled: false, idle: 7_200_000 }, tls: { caFile: null, certificateFile: null } }],
    });
  });

  it("is read", () => {
    const options = parse(
      "unixhierarchysep: no",
      "virtdomains: on",
      "smmap_imap_post_identity: login",
      "smmap_imap_exact_quota: yes",
      "smmap_pool_size: 8",
      "client_timeout: 3s",
      "tcp_keepalive: yes",
      "tcp_keepalive_idle: 1m",
      "tls_server_ca_file: {configdirectory}/ca.pem",
      "tls_server_ca_dir: /etc/ssl/certs",
      "tls_client_cert: {configdirectory}/cert.pem",
      "tls_client_key: /key.pem",
    );
    expect(options).toMatchObject({
      separator: ".",
      defaultDomain: "internal",
      postIdentity: "login",
      exactQuota: true,
      poolSize: 8,
      connectTimeout: 3_000,
    });
    expect(options.servers[0]).toMatchObject({
      keepAlive: { enabled: true, idle: 60_000 },
      tls: {
        caFile: "/var/lib/cyrus/ca.pem",
        caDirectory: "/etc/ssl/certs",
        certificateFile: "/var/lib/cyrus/cert.pem",
        keyFile: "/key.pem",
      },
    });
  });

  it("knows a disabled client certificate from a forgotten key", () => {
    expect(parse("tls_client_cert: disabled", "tls_client_key: disabled").servers[0]?.tls.certificateFile).toBeNull();
    expect(() => parse("tls_client_cert: /cert.pem")).toThrow(
      /tls_client_cert: tls_client_cert and tls_client_key must be set together/,
    );
    expect(() => parse("tls_client_key: /key.pem")).toThrow(
      /tls_client_key: tls_client_cert and tls_client_key must be set together/,
    );
  });

  it.each(["smmap_pool_size: 0", "smmap_pool_size: -1", "client_timeout: 0", "client_timeout: 30d"])(
    "is refused as %s",
    (line) => {
      expect(() => parse(line)).toThrow(new RegExp(`imapd\\.conf:3: ${line.split(":")[0]}: must be`));
    },
  );

  it("warns of what a connection from here cannot have", () => {
    parse("tcp_keepalive_cnt: 3", "tcp_keepalive_intvl: 5s");
    expect(config.warnings().map((line) => line.replace(/^.*?: /, ""))).toEqual([
      expect.stringMatching(/^tcp_keepalive_cnt: has no effect/),
      expect.stringMatching(/^tcp_keepalive_intvl: has no effect/),
    ]);
  });
});
