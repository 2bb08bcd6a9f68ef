/** Client libraries are optional: what needs a missing one says so in a line, and everything else works. */
import { rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { Daemon, DaemonFolder } from "../../fixtures/daemon.ts";
import { Installation } from "../../fixtures/installation.ts";
import { ldapEntry, ldapResult, ScriptedLdap } from "../../fixtures/servers/ldap-script.ts";
import { ScriptedImap } from "../../fixtures/servers/scripted-imap.ts";

const BIND = 0x60;
const BIND_RESPONSE = 0x61;
const SEARCH = 0x63;
const SEARCH_DONE = 0x65;

const stores = {
  sqlite: "smmap_store: sqlite\nsql_database: mailboxes.db\n",
  ldap: "smmap_store: ldap\nldap_uri: ldap://127.0.0.1:9\nldap_base: dc=test\nsmmap_ldap_preset: custom\n",
  imap: "smmap_store: imap\nsmmap_imap_server: 127.0.0.1:9\nproxy_password: secret\n",
};

/** Words of the daemon, check and conf, by the configuration file. */
const commands = [
  (file: string) => ["-C", file],
  (file: string) => ["check", "-C", file, "anna"],
  (file: string) => ["conf", "-C", file],
] as const;
const accepted = { status: 0, stdout: "anna: OK anna\n" };

let folder: DaemonFolder;
let installation: Installation | null = null;

function install(...packages: string[]): Installation {
  installation = new Installation(["lru-cache", ...packages]);
  return installation;
}

beforeEach(() => {
  folder = new DaemonFolder();
});
afterEach(() => {
  installation?.remove();
  installation = null;
  folder.remove();
});

it.each([
  ["sqlite", "better-sqlite3", ["ldapts", "imapflow", "prom-client"]],
  ["ldap", "ldapts", ["better-sqlite3", "imapflow", "prom-client"]],
  ["imap", "imapflow", ["better-sqlite3", "ldapts", "prom-client"]],
] as const)("the daemon, check and conf refuse the store %s without %s by one line", async (store, name, others) => {
  folder.configure(stores[store]);
  const installed = install(...others);
  const line = new RegExp(
    `^smmap.*: .*smmap_store: .* package ${name} is not installed; run "npm install --global ${name}@\\d[\\d.]+".*\n$`,
  );
  for (const command of commands) {
    const { status, stderr } = await installed.run(...command(folder.configFile));
    expect(stderr).toMatch(line);
    expect(status).toBe(78);
  }
});

it("the daemon, check and conf refuse the sqlite store by one line where its package is not built", async () => {
  folder.configure(stores.sqlite);
  const installed = install();
  installed.addUnbuiltSqlite();
  for (const command of commands) {
    const { status, stderr } = await installed.run(...command(folder.configFile));
    expect(stderr).toMatch(
      /^smmap.*smmap_store: .* better-sqlite3 cannot be loaded: .*bindings.*; run "npm rebuild --global better-sqlite3".*\n$/,
    );
    expect(status).toBe(78);
  }
});

it("the command for an installation in a project names the project's folder", async () => {
  folder.configure(stores.ldap);
  const installed = install();
  const project = dirname(installed.modules);
  writeFileSync(join(project, "package.json"), "{}");
  const { stderr } = await installed.run("conf", "-C", folder.configFile);
  expect(stderr).toMatch(new RegExp(`run "npm install ldapts@[\\d.]+" in ${project} .*\n$`));
});

it("a program without its package.json names the package all the same", async () => {
  folder.configure(stores.ldap);
  const installed = install();
  rmSync(join(installed.modules, "smmapd/package.json"));
  const { status, stderr } = await installed.run("conf", "-C", folder.configFile);
  expect(stderr).toMatch(/package ldapts is not installed; run "npm install --global ldapts"/);
  expect(status).toBe(78);
});

it("metrics without prom-client are refused by the daemon and conf, and all else needs no prom-client", async () => {
  const installed = install();
  folder.configure("smmap_metrics_listen: 127.0.0.1:0\n");
  const [serve, check, conf] = commands;
  for (const command of [serve, conf]) {
    const { status, stderr } = await installed.run(...command(folder.configFile));
    expect(stderr).toMatch(
      /smmap_metrics_listen: .* prom-client is not installed; run "npm install --global prom-client@[\d.]+"\n$/,
    );
    expect(status).toBe(78);
  }
  expect(await installed.run(...check(folder.configFile))).toMatchObject(accepted);
  folder.configure();
  await expectAnswers(installed);
});

it("the ldap store answers without the packages of other stores", async () => {
  const server = await ScriptedLdap.start(({ id, operation, socket }) => {
    if (operation === BIND) socket.write(ldapResult(id, BIND_RESPONSE));
    if (operation === SEARCH) socket.write(Buffer.concat([ldapEntry(id, "uid=anna"), ldapResult(id, SEARCH_DONE)]));
  });
  try {
    folder.configure(stores.ldap.replace(":9", `:${server.port}`));
    await expectAnswers(install("ldapts"));
  } finally {
    await server.close();
  }
});

it("the imap store answers without the packages of other stores", async () => {
  const server = await ScriptedImap.start((command) =>
    command === 'GETQUOTAROOT "user/anna"' ? "* QUOTAROOT user/anna\r\nTAG OK done\r\n" : null,
  );
  try {
    folder.configure(stores.imap.replace(":9", `:${server.port}`));
    await expectAnswers(install("imapflow"));
  } finally {
    await server.close();
  }
});

/** Asks check, and a daemon. */
async function expectAnswers(installed: Installation): Promise<void> {
  const [, check] = commands;
  expect(await installed.run(...check(folder.configFile))).toMatchObject(accepted);
  const daemon = await Daemon.start(folder, { program: installed.program });
  try {
    expect(await installed.run("check", "--socket", folder.socket, "anna")).toMatchObject(accepted);
  } finally {
    await daemon.kill();
  }
}
