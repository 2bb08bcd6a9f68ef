/** How many searches a look-up takes, counted by a server that knows one user. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { ldapEntry, ldapResult, ScriptedLdap } from "../../../fixtures/servers/ldap-script.ts";
import { openLdapStore } from "../../../fixtures/servers/ldap-store.ts";
import { Lookup } from "../../../src/store/lookup.ts";
import { type MailboxStore, StoreError, type UserMailbox } from "../../../src/store/store.ts";

let server: ScriptedLdap;
let store: MailboxStore;

/** A clock that stands still, so that a slow machine makes no difference. */
beforeEach(() => {
  vi.useFakeTimers({ toFake: ["performance"] });
});

afterEach(async () => {
  vi.useRealTimers();
  await store.close();
  await server.close();
});

/** @param answers whether each search finds an entry, in their order; the last one for all that follow */
async function start(answers: readonly boolean[], conf: Record<string, string> = {}): Promise<void> {
  const left = [...answers];
  server = await ScriptedLdap.start(({ id, operation, socket }) => {
    if (operation !== 0x63) return;
    const isFound = left.length > 1 ? left.shift() : left[0];
    socket.write(Buffer.concat([...(isFound ? [ldapEntry(id, "cn=a")] : []), ldapResult(id, 0x65)]));
  });
  store = openLdapStore({
    ldap_uri: `ldap://127.0.0.1:${server.port}`,
    ldap_base: "dc=test",
    smmap_ldap_preset: "custom",
    smmap_pool_size: "1",
    ...conf,
  });
}

const mailbox: UserMailbox = { kind: "user", user: "a", domain: null, folders: [], address: "a", detail: null };
const lookup = () => store.lookup(mailbox, new Lookup());
const searches = () => server.requests.filter(({ operation }) => operation === 0x63).length;

describe("a look-up", () => {
  it("of somebody who is there takes one search, whatever shared folders there are", async () => {
    await start([true], { smmap_ldap_preset: "kolab" });
    expect(await lookup()).toMatchObject({ exists: true });
    expect(searches()).toBe(1);
  });

  it("of nobody takes one search where somebody was seen a moment ago", async () => {
    await start([true, false]);
    await lookup();
    expect(await lookup()).toEqual({ exists: false });
    expect(await lookup()).toEqual({ exists: false });
    expect(searches()).toBe(3);
    vi.advanceTimersByTime(1000);
    await expect(lookup()).rejects.toThrow("shows no users at all");
    expect(searches()).toBe(5);
  });

  it("of nobody takes a second search to see whether there is anybody", async () => {
    await start([false, true, false]);
    expect(await lookup()).toEqual({ exists: false });
    expect(searches()).toBe(2);
    expect(await lookup()).toEqual({ exists: false });
    expect(searches()).toBe(3);
  });

  it("of nobody shares the second search with others at that moment, and so does its failure", async () => {
    await start([false, false, false, true, false]);
    expect(await Promise.all([lookup(), lookup(), lookup()])).toEqual(Array(3).fill({ exists: false }));
    expect(searches()).toBe(4);
    vi.advanceTimersByTime(1000);
    const failed = await Promise.allSettled([lookup(), lookup()]);
    expect(failed.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
    expect(searches()).toBe(7);
  });

  it("where there is nobody at all is no answer", async () => {
    await start([false]);
    await expect(lookup()).rejects.toThrow('shows no users at all below "dc=test"');
    expect(searches()).toBe(2);
  });

  it("of a shared folder that is called by an address takes one more", async () => {
    await start([false, true, true], { smmap_ldap_preset: "kolab" });
    expect(await lookup()).toEqual({ exists: true, rights: "", quotas: [] });
    expect(searches()).toBe(3);
  });
});

describe("a search that does not succeed", () => {
  it("is an error whatever its code is, and whether an entry came before", async () => {
    let code = 0;
    let isFound = false;
    server = await ScriptedLdap.start(({ id, operation, socket }) => {
      if (operation !== 0x63) return;
      socket.write(Buffer.concat([...(isFound ? [ldapEntry(id, "cn=a")] : []), ldapResult(id, 0x65, code)]));
    });
    store = openLdapStore({ ldap_uri: `ldap://127.0.0.1:${server.port}`, ldap_base: "dc=test" });
    for (code = 1; code < 128; code++) {
      for (isFound of [false, true]) await expect(lookup(), `code ${code}`).rejects.toBeInstanceOf(StoreError);
    }
    code = 0;
    expect(await lookup()).toMatchObject({ exists: true });
  });
});

describe("a closed store", () => {
  it("asks nobody", async () => {
    await start([true]);
    await store.close();
    await expect(lookup()).rejects.toMatchObject({ code: "closed" });
    await expect(store.ping(new Lookup())).rejects.toMatchObject({ code: "closed" });
    expect(server.requests).toEqual([]);
  });
});

describe("a look-up that was called off before it began", () => {
  it("asks nobody", async () => {
    await start([true]);
    const called = new Lookup();
    called.abort(new Error("gone"));
    await expect(store.lookup(mailbox, called)).rejects.toThrow("gone");
    expect(server.requests).toEqual([]);
  });
});
