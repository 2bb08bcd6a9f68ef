/**
 * Servers that are out of order from their first word on: greeting, login and what is asked before the first look-up. The
 * store then says what is true, or fails with a StoreError in time; a mailbox that is there is never absent.
 */
import fc from "fast-check";
import { expect, it } from "vitest";
import { adapter as imapAdapter } from "../../adapters/imap/index.ts";
import { adapter as ldapAdapter } from "../../adapters/ldap/index.ts";
import { ldapEntry, ldapResult, ScriptedLdap } from "../../fixtures/servers/ldap-script.ts";
import { parseLdapConf } from "../../fixtures/servers/ldap-store.ts";
import { ScriptedImap } from "../../fixtures/servers/scripted-imap.ts";
import { silentLog } from "../../src/conformance/index.ts";
import { Lookup } from "../../src/store/lookup.ts";
import { type MailboxStore, StoreError, type UserMailbox } from "../../src/store/store.ts";
import { node } from "./ber-tree.ts";
import { hex, inProportion, timeout, tryAll } from "./campaign.ts";
import { anyMutation as anyImapMutation, mutate as mutateImap } from "./imap-mutations.ts";
import { anyMutation as anyLdapMutation, mutate as mutateLdap } from "./ldap-mutations.ts";

/** Milliseconds that the stores wait for an answer, and in which even a busy machine has come to an end. */
const PATIENCE = 100;
const AGES = 20_000;
/** Stores and servers at a time. */
const LANES = Array.from({ length: 16 }, (_, lane) => lane);

const anna: UserMailbox = { kind: "user", user: "anna", domain: null, folders: [], address: "anna", detail: null };
const truth = { exists: true, rights: null, quotas: [] };

/** Asks a store that nobody has asked before, and closes it. False: a StoreError. Rejects where it says what is not true. */
async function tellsTruth(store: MailboxStore, said: string): Promise<boolean> {
  let late: NodeJS.Timeout | undefined;
  const end = new Promise<never>((_, reject) => {
    late = setTimeout(() => reject(new Error(`no end to ${said}`)), AGES);
  });
  try {
    const facts = await Promise.race([store.lookup(anna, new Lookup()), end]);
    expect(facts, `the server said ${said}`).toEqual(truth);
    return true;
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    return false;
  } finally {
    clearTimeout(late);
    await store.close();
  }
}

/** By the first word of the command that they answer; "" is the greeting. */
const imapAnswers: Readonly<Record<string, string>> = {
  "": "* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] ready\r\n",
  AUTHENTICATE: "+ \r\nTAG OK [CAPABILITY IMAP4rev1 QUOTA ACL] logged in\r\n",
  CAPABILITY: "* CAPABILITY IMAP4rev1 QUOTA ACL\r\nTAG OK done\r\n",
  LIST: '* LIST (\\Noselect) "/" ""\r\nTAG OK done\r\n',
  GETQUOTA: "TAG NO Quota root does not exist\r\n",
};

async function attemptImap(which: string, said: string): Promise<boolean> {
  const answers = { ...imapAnswers, [which]: said };
  const server = await ScriptedImap.start((command) => {
    if (command === 'GETQUOTAROOT "user/anna"') return "* QUOTAROOT user/anna\r\nTAG OK done\r\n";
    return answers[command.split(" ", 1)[0] ?? ""] ?? "TAG BAD what?\r\n";
  }, answers[""]);
  const store = imapAdapter.open(
    {
      servers: [
        {
          host: "127.0.0.1",
          port: server.port,
          security: "plain",
          isComplete: true,
          login: { user: "cyrus", password: "secret", userid: null },
          tls: { caFile: null, caDirectory: null, certificateFile: null, keyFile: null },
          keepAlive: { enabled: false, idle: 1_000 },
        },
      ],
      separator: "/",
      defaultDomain: "",
      postIdentity: "anyone",
      exactQuota: false,
      murder: "auto",
      poolSize: 1,
      poolMax: 1,
      connectTimeout: PATIENCE,
    },
    { log: silentLog, lookupTimeout: PATIENCE },
  );
  try {
    return await tellsTruth(store, `to "${which}" ${hex(said)}`);
  } finally {
    await server.close();
  }
}

const BIND = 0x60;
const BIND_RESPONSE = 0x61;
const SEARCH = 0x63;
const SEARCH_DONE = 0x65;

async function attemptLdap(write: (id: number) => Buffer): Promise<boolean> {
  let said = Buffer.alloc(0) as Buffer;
  const server = await ScriptedLdap.start(({ id, operation, socket }) => {
    if (operation === BIND) {
      said = write(id);
      socket.write(said);
    }
    if (operation === SEARCH) socket.write(Buffer.concat([ldapEntry(id, "uid=anna"), ldapResult(id, SEARCH_DONE)]));
  });
  const { options } = parseLdapConf({
    ldap_uri: `ldap://127.0.0.1:${server.port}`,
    ldap_base: "dc=test",
    ldap_bind_dn: "cn=reader",
    ldap_password: "secret",
    smmap_ldap_preset: "custom",
  });
  const connection = { ...options.connection, timeout: PATIENCE };
  const store = ldapAdapter.open({ ...options, connection }, { log: silentLog, lookupTimeout: PATIENCE });
  try {
    return await tellsTruth(store, `to the bind ${hex(said)}`);
  } finally {
    await server.close();
  }
}

function bindResponse(id: number) {
  const result = node(BIND_RESPONSE, node(0x0a, Buffer.from([0])), node(0x04, ""), node(0x04, ""));
  return [node(0x30, node(0x02, Buffer.from([id])), result)];
}

it("a login is done when nothing is changed, though perhaps late on a busy machine", { timeout }, async () => {
  await expect.poll(() => attemptImap("", imapAnswers[""] ?? ""), { timeout: AGES }).toBe(true);
  await expect.poll(() => attemptLdap((id) => mutateLdap(bindResponse(id), id, [])), { timeout: AGES }).toBe(true);
});

it("an IMAP server whose first words are changed at random", { timeout }, async () => {
  await tryAll({
    inputs: fc.record({ which: fc.constantFrom(...Object.keys(imapAnswers)), mutation: anyImapMutation }),
    count: inProportion(400),
    lanes: LANES,
    attempt: async ({ which, mutation: { edits, isSilent } }) => {
      const said = mutateImap(imapAnswers[which] ?? "", edits);
      await attemptImap(which, isSilent || which === "" ? said : `${said}CUT`);
    },
  });
});

it("a directory whose answer to the bind is changed at random", { timeout }, async () => {
  await tryAll({
    inputs: anyLdapMutation,
    count: inProportion(400),
    lanes: LANES,
    attempt: async ({ edits }) => {
      await attemptLdap((id) => mutateLdap(bindResponse(id), id, edits));
    },
  });
});
