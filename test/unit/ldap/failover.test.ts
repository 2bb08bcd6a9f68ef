/** Two servers of one directory, of which the first accepts connections and answers searches that it cannot serve. */
import { afterEach, describe, expect, it, vi } from "vitest";
import { ldapEntry, ldapResult, ScriptedLdap, type ScriptedRequest } from "../../../fixtures/servers/ldap-script.ts";
import { openLdapStore } from "../../../fixtures/servers/ldap-store.ts";
import { Lookup } from "../../../src/store/lookup.ts";
import type { MailboxFacts, MailboxStore, UserMailbox } from "../../../src/store/store.ts";

const BIND = 0x60;
const SEARCH = 0x63;
const mailbox: UserMailbox = { kind: "user", user: "a", domain: null, folders: [], address: "a", detail: null };

type Answer = (request: ScriptedRequest) => void;

const finds: Answer = ({ id, socket }) => socket.write(Buffer.concat([ldapEntry(id, "cn=a"), ldapResult(id, 0x65)]));
const answers =
  (code: number): Answer =>
  ({ id, socket }) =>
    socket.write(ldapResult(id, 0x65, code));

/** A server that accepts every bind. */
class Server {
  answer: Answer;
  readonly #scripted: ScriptedLdap;

  private constructor(scripted: ScriptedLdap, answer: Answer) {
    this.#scripted = scripted;
    this.answer = answer;
  }

  static async start(answer: Answer): Promise<Server> {
    let server: Server | null = null;
    const scripted = await ScriptedLdap.start((request) => {
      if (request.operation === BIND) request.socket.write(ldapResult(request.id, 0x61));
      if (request.operation === SEARCH) server?.answer(request);
    });
    server = new Server(scripted, answer);
    servers.push(server);
    return server;
  }

  get uri(): string {
    return `ldap://127.0.0.1:${this.#scripted.port}`;
  }

  /** Requests of a kind so far. */
  count(operation: number): number {
    return this.#scripted.requests.filter((request) => request.operation === operation).length;
  }

  received(count: number): Promise<unknown> {
    return this.#scripted.received(count);
  }

  close(): Promise<void> {
    return this.#scripted.close();
  }
}

const servers: Server[] = [];
let store: MailboxStore;

afterEach(async () => {
  await store.close();
  for (const server of servers.splice(0)) await server.close();
});

function open(conf: Readonly<Record<string, string>> = {}): void {
  store = openLdapStore({
    ldap_uri: servers.map(({ uri }) => uri).join(" "),
    ldap_base: "dc=test",
    ldap_bind_dn: "cn=reader",
    ldap_password: "secret",
    smmap_ldap_preset: "custom",
    smmap_pool_size: "2",
    ...conf,
  });
}

async function find(): Promise<MailboxFacts> {
  return await store.lookup(mailbox, new Lookup());
}

const present = { exists: true, rights: null, quotas: [] };

describe("A search is made again on the next server", () => {
  it.each([
    [1, "operationsError"],
    [10, "referral"],
    [51, "busy"],
    [52, "unavailable"],
    [80, "other"],
  ])("where the first one answers %i (%s), and no look-up fails", async (code) => {
    const first = await Server.start(answers(code));
    const second = await Server.start(finds);
    open();
    for (let round = 0; round < 5; round++) {
      const found = await Promise.all(Array.from({ length: 100 }, find));
      expect(found).toEqual(Array(100).fill(present));
    }
    // Each connection of the pool finds out once, with what is in flight on it then.
    expect(first.count(SEARCH)).toBeLessThanOrEqual(200);
    expect(first.count(BIND)).toBeLessThanOrEqual(2);
    expect(second.count(BIND)).toBeLessThanOrEqual(4);
  });

  it.each([
    [2, "protocolError"],
    [32, "noSuchObject"],
    [50, "insufficientAccessRights"],
  ])("but not where the answer is %i (%s), which concerns the question", async (code, name) => {
    const first = await Server.start(answers(code));
    const second = await Server.start(finds);
    open();
    await expect(find()).rejects.toThrow(name);
    expect([first.count(SEARCH), second.count(BIND)]).toEqual([1, 0]);
  });

  it("while what is in flight on the first connection is still answered there", async () => {
    const held: ScriptedRequest[] = [];
    const first = await Server.start((request) => void held.push(request));
    const second = await Server.start(finds);
    open({ smmap_pool_size: "1" });
    const early = find();
    // The bind and the search.
    await first.received(2);
    first.answer = answers(52);
    expect(await find()).toEqual(present);
    finds(held[0] as ScriptedRequest);
    expect(await early).toEqual(present);
    expect(first.count(SEARCH)).toBe(2);
    // And one for any entry, after the first look-up.
    expect(second.count(SEARCH)).toBeLessThanOrEqual(2);
  });

  it("by the connection that has found out, not by another one that still leads to the first", async () => {
    const held: ScriptedRequest[] = [];
    const hold: Answer = (request) => void held.push(request);
    const first = await Server.start(hold);
    const second = await Server.start(finds);
    open();
    const early = [find(), find()];
    await vi.waitFor(() => expect(held.length).toBe(2));
    const sockets = new Set(held.map(({ socket }) => socket));
    expect(sockets.size).toBe(1);
    first.answer = (request) => {
      sockets.add(request.socket);
      finds(request);
    };
    while (sockets.size < 2) await find();
    // The second connection to the first server has nothing to do, and the one to the second server soon has.
    first.answer = answers(51);
    const [one, two] = held.splice(0) as [ScriptedRequest, ScriptedRequest];
    first.answer(one);
    expect(await early[0]).toEqual(present);
    second.answer = hold;
    early.push(find());
    await vi.waitFor(() => expect(held.length).toBe(1));
    first.answer(two);
    await vi.waitFor(() => expect(held.length).toBe(2));
    for (const request of held) finds(request);
    expect(await Promise.all(early)).toEqual([present, present, present]);
  });

  it("and stays TEMP where all servers say so, with few new connections", async () => {
    const first = await Server.start(answers(51));
    const second = await Server.start(answers(10));
    open({ smmap_pool_size: "1" });
    const outcomes = new Set<string>();
    for (let i = 0; i < 500; i++) {
      await find().then(
        () => outcomes.add("found"),
        (error: Error) => outcomes.add(/busy|referral/.exec(error.message)?.[0] ?? error.message),
      );
    }
    expect([...outcomes].sort()).toEqual(["busy", "referral"]);
    expect(first.count(BIND)).toBe(1);
    // 50 ms to 3 s apart.
    expect(second.count(BIND)).toBeLessThan(20);
  });

  it("which is not used further where it cannot serve the search either: the question is at fault", async () => {
    const first = await Server.start(answers(10));
    const second = await Server.start(answers(10));
    open({ smmap_pool_size: "1" });
    await expect(find()).rejects.toThrow("referral");
    first.answer = finds;
    second.answer = finds;
    expect(await find()).toEqual(present);
    expect([first.count(SEARCH), second.count(SEARCH)]).toEqual([2, 1]);
  });
});
