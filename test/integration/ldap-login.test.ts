/** All ways to a real slapd, and those that must lead nowhere: TLS, StartTLS, UNIX socket, binds. */
import { mkdir, symlink } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { conformanceContent, mailboxesConf, mailboxesServer } from "../../fixtures/servers/ldap-mailboxes.ts";
import { TcpProxy } from "../../fixtures/servers/ldap-proxy.ts";
import { keepingLog, type LdapConf, openLdapService } from "../../fixtures/servers/ldap-store.ts";
import { Slapd } from "../../fixtures/servers/slapd.ts";
import type { Certificate } from "../../fixtures/servers/tls.ts";

const suffix = "o=mailboxes";
const failed = "TEMP Mailbox look-up failed, try again later";
const reader: LdapConf = { ldap_bind_dn: `cn=reader,${suffix}`, ldap_password: "reader-secret" };

let slapd: Slapd;
let caFile: string;
let client: Certificate;

beforeAll(async () => {
  slapd = await Slapd.start({
    ...mailboxesServer(conformanceContent),
    tls: {},
    globalLines: [
      "sasl-secprops none",
      `authz-regexp "gidNumber=[0-9]+\\\\+uidNumber=[0-9]+,cn=peercred,cn=external,cn=auth" "cn=reader,${suffix}"`,
      `authz-regexp "uid=([^,]+),cn=plain,cn=auth" "cn=$1,${suffix}"`,
      `authz-regexp "uid=([^,]+),cn=auth" "cn=$1,${suffix}"`,
      `authz-regexp "cn=client" "cn=reader,${suffix}"`,
    ],
  });
  if (slapd.authority === null) throw new Error("a server with TLS has an authority");
  caFile = slapd.authority.caFile;
  client = await slapd.authority.issue("client", { hosts: [], addresses: [] });
});

afterAll(() => slapd?.close());

/** The replies to somebody who is there and somebody who is not, and the log. */
async function ask(conf: LdapConf): Promise<{ readonly replies: readonly string[]; readonly log: string }> {
  const { log, lines } = keepingLog();
  const service = await openLdapService({ ...mailboxesConf, ldap_timeout: "2s", ...conf }, log);
  try {
    return { replies: [await service.ask("anna"), await service.ask("nobody")], log: lines.join("\n") };
  } finally {
    await service.close();
  }
}

const works = ["OK anna", "NOTFOUND Mailbox does not exist"];
const fails = [failed, failed];

describe("TLS", () => {
  const verified = () => ({ ...reader, ldap_verify_peer: "yes", ldap_ca_file: caFile });

  it.each<[string, () => LdapConf]>([
    ["ldaps", () => ({ ldap_uri: slapd.tlsUri })],
    ["ldaps to an address", () => ({ ldap_uri: `ldaps://127.0.0.1:${slapd.tlsPort}` })],
    ["StartTLS", () => ({ ldap_uri: `ldap://localhost:${slapd.port}`, ldap_start_tls: "yes" })],
    ["StartTLS to an address", () => ({ ldap_uri: slapd.uri, ldap_start_tls: "yes" })],
    ["ciphers", () => ({ ldap_uri: slapd.tlsUri, ldap_ciphers: "ECDHE-ECDSA-AES256-GCM-SHA384" })],
  ])("works with %s", async (_, conf) => {
    const { replies, log } = await ask({ ...verified(), ...conf() });
    expect(replies).toEqual(works);
    expect(log).not.toMatch(/^error/m);
  });

  it("takes its authorities from a directory", async () => {
    const directory = join(slapd.directory, "authorities");
    await mkdir(directory);
    const conf = { ...reader, ldap_uri: slapd.tlsUri, ldap_verify_peer: "yes", ldap_ca_dir: directory };
    const empty = await ask(conf);
    expect(empty.replies).toEqual(fails);
    expect(empty.log).toContain("ldap_ca_dir: no certificate in");
    await symlink(caFile, join(directory, "12345678.0"));
    expect((await ask(conf)).replies).toEqual(works);
    const missing = await ask({ ...conf, ldap_ca_dir: join(directory, "nowhere") });
    expect(missing.replies).toEqual(fails);
    expect(missing.log).toContain("ldap_ca_dir: ENOENT");
  });

  it("trusts nobody by itself", async () => {
    const { replies, log } = await ask({ ...reader, ldap_uri: slapd.tlsUri, ldap_verify_peer: "yes" });
    expect(replies).toEqual(fails);
    expect(log).toMatch(/TLS: .*self.signed certificate/);
  });

  it("needs the file that it is told of", async () => {
    const { replies, log } = await ask({ ...verified(), ldap_uri: slapd.tlsUri, ldap_ca_file: `${caFile}.gone` });
    expect(replies).toEqual(fails);
    expect(log).toContain("ldap_ca_file: ENOENT");
  });

  it("looks at the name in the certificate", async () => {
    const proxy = await TcpProxy.start(slapd.tlsPort, "127.0.0.2");
    try {
      const uri = `ldaps://127.0.0.2:${proxy.port}`;
      const { replies, log } = await ask({ ...verified(), ldap_uri: uri });
      expect(replies).toEqual(fails);
      expect(log).toContain("does not match certificate's altnames");
      const trusting = await ask({ ...reader, ldap_uri: uri });
      expect(trusting.replies).toEqual(works);
      expect(trusting.log).toContain("ldap_verify_peer");
    } finally {
      await proxy.close();
    }
  });

  it("refuses a certificate that is out of date", async () => {
    const stale = await Slapd.start({ ...mailboxesServer(conformanceContent), tls: { days: -1 } });
    try {
      const trusted = stale.authority?.caFile ?? "";
      const { replies, log } = await ask({ ...verified(), ldap_uri: stale.tlsUri, ldap_ca_file: trusted });
      expect(replies).toEqual(fails);
      expect(log).toContain("certificate has expired");
    } finally {
      await stale.close();
    }
  });

  it("is never left out: a server without it does not even see the password", async () => {
    const plain = await Slapd.start(mailboxesServer(conformanceContent));
    const proxy = await TcpProxy.start(plain.port);
    try {
      const uri = `ldap://127.0.0.1:${proxy.port}`;
      const { replies, log } = await ask({ ...verified(), ldap_uri: uri, ldap_start_tls: "yes" });
      expect(replies).toEqual(fails);
      expect(log).toContain("the server refused StartTLS");
      expect(proxy.sent).toContain("1.3.6.1.4.1.1466.20037");
      expect(proxy.sent).not.toContain("reader-secret");
    } finally {
      await proxy.close();
      await plain.close();
    }
  });

  it.each<[string, () => string]>([
    ["TLS to a port without", () => `ldaps://localhost:${slapd.port}`],
    ["clear text to a port with TLS", () => `ldap://localhost:${slapd.tlsPort}`],
  ])("and %s do not come together", async (_, uri) => {
    expect((await ask({ ...verified(), ldap_uri: uri() })).replies).toEqual(fails);
  });
});

describe("a bind", () => {
  const tls = () => ({ ldap_uri: slapd.tlsUri, ldap_verify_peer: "yes", ldap_ca_file: caFile });

  it.each<[string, () => LdapConf]>([
    ["with a password", () => ({ ...reader, ldap_uri: slapd.uri })],
    ["over a UNIX socket", () => ({ ...reader, ldap_uri: slapd.socketUri })],
    [
      "over a UNIX socket, with StartTLS for the others",
      () => ({ ...reader, ldap_uri: slapd.socketUri, ldap_start_tls: "yes" }),
    ],
    ["as the user of the process", () => ({ ldap_uri: slapd.socketUri, ldap_mech: "EXTERNAL" })],
    [
      "by a certificate",
      () => ({
        ...tls(),
        ldap_mech: "external",
        ldap_client_cert: client.certificateFile,
        ldap_client_key: client.keyFile,
      }),
    ],
    ["by SASL PLAIN", () => ({ ...tls(), ldap_mech: "PLAIN", ldap_id: "reader", ldap_password: "reader-secret" })],
    [
      "by SASL PLAIN, authorized as the same",
      () => ({
        ...tls(),
        ldap_mech: "PLAIN",
        ldap_id: "reader",
        ldap_password: "reader-secret",
        ldap_authz: "u:reader",
      }),
    ],
    [
      "with a mechanism that SASL switched off leaves alone",
      () => ({ ...reader, ldap_uri: slapd.uri, ldap_sasl: "no", ldap_mech: "PLAIN" }),
    ],
  ])("%s works", async (_, conf) => {
    const { replies, log } = await ask(conf());
    expect(replies).toEqual(works);
    expect(log).not.toMatch(/^error/m);
  });

  it.each<[string, () => LdapConf]>([
    ["with a wrong password", () => ({ ...reader, ldap_uri: slapd.uri, ldap_password: "wrong-secret" })],
    ["as nobody's DN", () => ({ ...reader, ldap_uri: slapd.uri, ldap_bind_dn: `cn=nobody,${suffix}` })],
    [
      "by SASL PLAIN with a wrong password",
      () => ({ ...tls(), ldap_mech: "PLAIN", ldap_id: "reader", ldap_password: "wrong-secret" }),
    ],
    [
      "authorized as somebody else",
      () => ({ ...tls(), ldap_mech: "PLAIN", ldap_id: "reader", ldap_password: "reader-secret", ldap_authz: "u:root" }),
    ],
    ["EXTERNAL without a certificate", () => ({ ...tls(), ldap_mech: "EXTERNAL" })],
    ["as nobody at all", () => ({ ldap_uri: slapd.uri })],
    ["at a socket that is not there", () => ({ ...reader, ldap_uri: "ldapi://%2Fnowhere%2Fldapi" })],
  ])("%s does not work, and the log keeps the password", async (_, conf) => {
    const { replies, log } = await ask(conf());
    expect(replies).toEqual(fails);
    expect(log).toMatch(/^error/m);
    expect(log).not.toMatch(/(?:reader|wrong)-secret/);
  });
});
