/** When a refusal of an entry that was found counts, at scripted directories. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { ScriptedDirectory } from "../../../fixtures/servers/ldap-script-directory.ts";
import { openLdapStore } from "../../../fixtures/servers/ldap-store.ts";
import { silentLog } from "../../../src/conformance/index.ts";
import { Lookup } from "../../../src/store/lookup.ts";
import type { MailboxId, MailboxStore } from "../../../src/store/store.ts";

const CSN_OLD = "20261129100000.000000Z#000000#001#000000";
const CSN_NEW = "20261129110000.000000Z#000000#001#000000";

type Entries = Parameters<typeof ScriptedDirectory.start>[0];

const directories: ScriptedDirectory[] = [];
const stores: MailboxStore[] = [];

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["performance"] });
});

afterEach(async () => {
  vi.useRealTimers();
  for (const store of stores.splice(0)) await store.close();
  for (const directory of directories.splice(0)) await directory.close();
});

async function start(entries: Entries, contextcsn?: string): Promise<ScriptedDirectory> {
  const suffix = { dc: ["test"], ...(contextcsn === undefined ? {} : { contextcsn: [contextcsn] }) };
  const directory = await ScriptedDirectory.start({
    "": { namingcontexts: ["dc=test"] },
    "dc=test": suffix,
    ...entries,
  });
  directories.push(directory);
  return directory;
}

function open(conf: Readonly<Record<string, string>>): MailboxStore {
  const store = openLdapStore(
    {
      ldap_uri: directories.map(({ uri }) => uri).join(" "),
      ldap_base: "dc=test",
      smmap_ldap_preset: "custom",
      ldap_filter: "(mail=%u)",
      smmap_pool_size: "1",
      ...conf,
    },
    silentLog,
  );
  stores.push(store);
  return store;
}

function user(name: string, folder?: string): MailboxId {
  const folders = folder === undefined ? [] : [folder];
  return { kind: "user", user: name, domain: null, folders, address: name, detail: folder ?? null };
}

const shared = (name: string): MailboxId => ({
  kind: "shared",
  domain: null,
  folders: [name],
  address: "",
  detail: name,
});

const withAcl = { smmap_ldap_shared_filter: "(folder=%f)", smmap_ldap_acl_attribute: "acl" };
const anna = { "uid=anna,dc=test": { mail: ["anna"] } };

describe("an entry without a value of an attribute", () => {
  it("is refused as a shared folder only while another folder shows rights", async () => {
    const directory = await start({
      ...anna,
      "cn=team,dc=test": { folder: ["team"], acl: ["anyone lrsp"] },
      "cn=closed,dc=test": { folder: ["closed"] },
    });
    const store = open(withAcl);
    expect(await store.lookup(shared("closed"), new Lookup())).toMatchObject({ exists: true, rights: "" });
    expect(await store.lookup(shared("team"), new Lookup())).toMatchObject({ rights: "lrsp" });
    directory.entries.set("cn=team,dc=test", { folder: ["team"] });
    for (const name of ["team", "closed"]) {
      await expect(store.lookup(shared(name), new Lookup())).rejects.toMatchObject({
        code: "denied",
        message: expect.stringContaining("shows a value of acl"),
      });
    }
  });

  it("is refused for a missing folder only while another user shows folders", async () => {
    const directory = await start({
      ...anna,
      "uid=bert,dc=test": { mail: ["bert"], mailfolder: ["Lists"] },
    });
    const store = open({ smmap_ldap_folder_attribute: "mailfolder" });
    expect(await store.lookup(user("bert", "Nope"), new Lookup())).toEqual({ exists: false });
    expect(await store.lookup(user("anna", "Lists"), new Lookup())).toEqual({ exists: false });
    directory.entries.set("uid=bert,dc=test", { mail: ["bert"] });
    await expect(store.lookup(user("bert", "Lists"), new Lookup())).rejects.toMatchObject({ code: "denied" });
    expect(await store.lookup(user("anna"), new Lookup())).toMatchObject({ exists: true });
  });
});

describe("an entry of a server after the first", () => {
  const disabled = {
    "uid=anna,dc=test": { mail: ["anna"], state: ["off"] },
    "uid=bert,dc=test": { mail: ["bert"], state: ["on"] },
  };
  const withStatus = {
    smmap_ldap_status_attribute: "state",
    smmap_ldap_status_values: "on=ok off=notfound",
  };

  async function failOver(firstCsn: string, secondCsn: string, seconds = 0) {
    const first = await start({ "uid=bert,dc=test": { mail: ["bert"], state: ["on"] } }, firstCsn);
    await start(disabled, secondCsn);
    const store = open({ ...withStatus, smmap_ldap_replica_check: "csn" });
    expect(await store.lookup(user("nobody"), new Lookup())).toEqual({ exists: false });
    await first.close();
    vi.advanceTimersByTime(seconds * 1000);
    return store;
  }

  it("is refused if the server has every change of the first", async () => {
    const store = await failOver(CSN_OLD, CSN_NEW);
    expect(await store.lookup(user("anna"), new Lookup())).toEqual({ exists: false });
  });

  it("is not refused if the server lags, and mail for other entries is accepted", async () => {
    const store = await failOver(CSN_NEW, CSN_OLD);
    await expect(store.lookup(user("anna"), new Lookup())).rejects.toThrow("lacks changes");
    expect(await store.lookup(user("bert"), new Lookup())).toMatchObject({ exists: true });
  });

  it("is not refused if the first server was last observed more than a minute before", async () => {
    const store = await failOver(CSN_OLD, CSN_NEW, 61);
    await expect(store.lookup(user("anna"), new Lookup())).rejects.toThrow("61 s before this server was first asked");
    await expect(store.lookup(user("nobody"), new Lookup())).rejects.toThrow("61 s before");
    expect(await store.lookup(user("bert"), new Lookup())).toMatchObject({ exists: true });
  });
});
