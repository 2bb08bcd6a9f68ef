/** A slapd that locks accounts after three wrong passwords, and a daemon whose configuration has a wrong one. */
import { execFile } from "node:child_process";
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from "vitest";
import { Daemon, DaemonFolder, program } from "../../fixtures/daemon.ts";
import {
  conformanceContent,
  mailboxesConf,
  mailboxesServer,
  readerConf,
} from "../../fixtures/servers/ldap-mailboxes.ts";
import { Slapd } from "../../fixtures/servers/slapd.ts";
import { SocketmapClient } from "../../fixtures/socketmap-client.ts";

const failed = "TEMP Mailbox look-up failed, try again later";
const READER = readerConf.ldap_bind_dn as string;
const policy = [
  "dn: cn=policy,o=mailboxes",
  "objectClass: device",
  "objectClass: pwdPolicy",
  "cn: policy",
  "pwdAttribute: userPassword",
  "pwdMaxFailure: 3",
  "pwdLockout: TRUE",
];

let slapd: Slapd;
let folder: DaemonFolder;
let daemon: Daemon | null;
let client: SocketmapClient;

beforeAll(async () => {
  const server = mailboxesServer(conformanceContent);
  slapd = await Slapd.start({
    ...server,
    ldif: `${server.ldif}\n${policy.join("\n")}\n`,
    globalLines: ["moduleload ppolicy"],
    databaseLines: [...(server.databaseLines ?? []), "overlay ppolicy", `ppolicy_default "cn=policy,${server.suffix}"`],
  });
});

afterAll(() => slapd?.close());

beforeEach(async () => {
  // An account that was locked by a test that failed would fail the others.
  await slapd.administer((admin) => admin.bind(READER, readerConf.ldap_password as string));
  folder = new DaemonFolder();
  configure({ ldap_password: "wrong-secret" });
  daemon = await Daemon.start(folder);
  client = await SocketmapClient.connect(folder.socket);
});

afterEach(async () => {
  client?.close();
  await daemon?.kill();
  daemon = null;
  folder?.remove();
});

function configure(conf: Readonly<Record<string, string>>): void {
  const own = { smmap_store: "ldap", ldap_uri: slapd.uri, smmap_pool_size: "4", smmap_cache_size: "0" };
  const lines = Object.entries({ ...mailboxesConf, ...readerConf, ...own, ...conf });
  folder.configure(lines.map(([key, value]) => `${key}: ${value}`).join("\n"));
}

/** Wrong passwords that the server has counted since the last right one. */
async function failures(): Promise<{ readonly counted: number; readonly isLocked: boolean }> {
  const { searchEntries } = await slapd.administer((admin) =>
    admin.search(READER, { scope: "base", attributes: ["pwdFailureTime", "pwdAccountLockedTime"] }),
  );
  const [entry] = searchEntries;
  if (entry === undefined) throw new Error(`${READER} is missing`);
  const { pwdFailureTime = [], pwdAccountLockedTime = [] } = entry;
  return { counted: [pwdFailureTime].flat().length, isLocked: pwdAccountLockedTime.length > 0 };
}

/** The store's line of `smmapd status`. */
function storeLine(): Promise<string> {
  return new Promise((resolve) => {
    execFile(program, ["status", "-C", folder.configFile], (_, out) => resolve(/^store .*$/m.exec(out)?.[0] ?? out));
  });
}

async function reload(times: number): Promise<void> {
  daemon?.signal("SIGHUP");
  await daemon?.says(/configuration reloaded/, times);
}

it("five hundred look-ups by four connections cost one wrong password, and status tells why they fail", async () => {
  const keys = Array.from({ length: 500 }, () => "anna");
  expect(new Set(await client.askAll(keys))).toEqual(new Set([failed]));
  expect(await failures()).toEqual({ counted: 1, isLocked: false });
  const login = `${slapd.uri}: ldap: cannot bind as ${READER}: invalidCredentials (49): check ldap_bind_dn and ldap_password; `;
  await daemon?.says(/next login in 30 s, or at once after a reload \(SIGHUP\)/);
  expect(daemon?.text.split(login).length).toBe(2);
  expect(await storeLine()).toMatch(/invalidCredentials \(49\): check .*; no login before \S+ or a reload \(SIGHUP\)/);
  expect(await failures()).toEqual({ counted: 1, isLocked: false });
  expect(daemon?.text).not.toContain("wrong-secret");
});

it("a right password works at once after a reload", async () => {
  expect(await client.ask("anna")).toBe(failed);
  configure({});
  await reload(1);
  expect(await client.ask("anna")).toBe("OK anna");
  expect(await failures()).toEqual({ counted: 0, isLocked: false });
});

it("a reload with the same password costs one more wrong one", async () => {
  expect(await client.ask("anna")).toBe(failed);
  await reload(1);
  expect(await client.ask("anna")).toBe(failed);
  expect(await client.ask("anna")).toBe(failed);
  expect(await failures()).toEqual({ counted: 2, isLocked: false });
});
