/**
 * A directory whose answers come in every way out of shape: the store says what a whole and well-formed answer says, or
 * fails with a StoreError. Above all, it takes nobody for unknown unless the server has said so by the letter.
 *
 * An answer that ever led astray is kept in corpus/ldap, in hexadecimal with "II" for the message id.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, expect, it } from "vitest";
import { BerError } from "../../adapters/ldap/ber.ts";
import { Entry } from "../../adapters/ldap/entry.ts";
import { attributesFor, RecipientReader } from "../../adapters/ldap/recipients.ts";
import { ResponseReader, type SearchEntry } from "../../adapters/ldap/response.ts";
import { LdapStore } from "../../adapters/ldap/store.ts";
import { ldapEntry, ldapResult, ScriptedLdap, type ScriptedRequest } from "../../fixtures/servers/ldap-script.ts";
import { parseLdapConf } from "../../fixtures/servers/ldap-store.ts";
import { silentLog } from "../../src/conformance/index.ts";
import { Lookup } from "../../src/store/lookup.ts";
import { type MailboxFacts, type MailboxId, StoreError } from "../../src/store/store.ts";
import { type BerNode, decodeFirst, encode, node } from "./ber-tree.ts";
import { hex, inProportion, seed, timeout, tryAll } from "./campaign.ts";
import { anyMutation, type Mutation, mutate } from "./ldap-mutations.ts";

/** Milliseconds that the store waits for the rest of an answer. */
const PATIENCE = 100;
/** Milliseconds after which even a busy machine has to have answered. */
const AGES = 20_000;
/** Stores and servers; most of them wait. */
const LANES = 32;
const BIND = 0x60;
const SEARCH = 0x63;
const SEARCH_DONE = 0x65;
const SIZE_LIMIT_EXCEEDED = 4;

const corpus = new URL("corpus/ldap/", import.meta.url).pathname;

const anna: MailboxId = { kind: "user", user: "anna", domain: null, folders: [], address: "anna", detail: null };
const lists: MailboxId = { ...anna, folders: ["Lists", "Dev"], detail: "Lists/Dev" };
const quotas = [
  { root: "anna", resource: "STORAGE", used: 700 * 1024, limit: 1000 * 1024 },
  { root: "anna", resource: "MESSAGE", used: 5, limit: 50 },
] as const;
const truth: MailboxFacts = { exists: true, rights: null, quotas };

const conf = {
  ldap_base: "dc=test",
  ldap_sasl: "no",
  ldap_bind_dn: "cn=reader",
  ldap_password: "secret",
  ldap_filter: "(mail=%u)",
  ldap_user_attribute: "uid",
  unixhierarchysep: "yes",
  smmap_pool_size: "1",
  smmap_ldap_preset: "custom",
  smmap_ldap_quota_attribute: "mailQuota",
  smmap_ldap_quota_unit: "k",
  smmap_ldap_usage_attribute: "mailUsage",
  smmap_ldap_messages_attribute: "mailMessages",
  smmap_ldap_messages_usage_attribute: "mailMessagesUsed",
  smmap_ldap_status_attribute: "accountStatus",
  smmap_ldap_status_values: "active=ok disabled=notfound",
  smmap_ldap_folder_attribute: "mailFolder",
};
const { recipients } = parseLdapConf({ ...conf, ldap_uri: "ldap://127.0.0.1" }).options;

/** The answer that is right for a mailbox, to a request. */
function answerFor(mailbox: MailboxId, id: number): BerNode[] {
  const attributes = Object.entries({
    uid: ["anna"],
    mailQuota: ["1000"],
    mailUsage: ["700"],
    mailMessages: ["50"],
    mailMessagesUsed: ["5"],
    accountStatus: ["active"],
    ...(mailbox.folders.length > 0 ? { mailFolder: ["Drafts", "Lists/Dev", "Lists/Users"] } : {}),
  }).map(([name, values]) => node(0x30, node(0x04, name), node(0x31, ...values.map((value) => node(0x04, value)))));
  const entry = node(0x64, node(0x04, "uid=anna,dc=test"), node(0x30, ...attributes));
  return [envelope(id, entry), envelope(id, resultNode(SEARCH_DONE))];
}

const resultNode = (tag: number) => node(tag, node(0x0a, Buffer.from([0])), node(0x04, ""), node(0x04, ""));

function envelope(id: number, operation: BerNode): BerNode {
  return node(0x30, node(0x02, Buffer.from([id >> 8, id & 0xff])), operation);
}

/**
 * What octets say by the letter: facts, or "error" where they are in order and say that it failed; null where they are
 * not in order.
 */
function said(octets: Buffer, mailbox: MailboxId, id: number): MailboxFacts | "error" | null {
  const entries: SearchEntry[] = [];
  let goesOn = false;
  for (let next = decodeFirst(octets); next !== null; next = decodeFirst(next.rest)) {
    const [number, operation, controls, ...others] = children(next.first, 0x30) ?? [];
    const isOurs = number !== undefined && integerOf(number) === id;
    if (!isOurs || others.length > 0 || (controls !== undefined && controls.tag !== 0xa0)) return null;
    if (operation?.tag === 0x64) {
      const entry = entryOf(operation, id);
      if (entry === null) return null;
      entries.push(entry);
      continue;
    }
    if (operation?.tag === 0x73) {
      if (children(operation, 0x73)?.every(({ tag }) => tag === 0x04) !== true) return null;
      goesOn = true;
      continue;
    }
    const [code, dn, words] = children(operation, SEARCH_DONE) ?? [];
    if (code?.tag !== 0x0a || dn?.tag !== 0x04 || words?.tag !== 0x04 || integerOf(code) === null) return null;
    if (integerOf(code) !== 0 || entries.length > 1) return "error";
    if (entries.length === 0 && goesOn) return "error";
    return factsOf(entries[0], mailbox);
  }
  return null;
}

function factsOf(found: SearchEntry | undefined, mailbox: MailboxId): MailboxFacts | "error" {
  if (found === undefined) return { exists: false };
  try {
    const entry = new Entry(found, attributesFor(mailbox, false, recipients));
    return new RecipientReader(recipients, silentLog).facts(mailbox, entry, false);
  } catch (error) {
    if (error instanceof StoreError) return "error";
    throw error;
  }
}

function entryOf(operation: BerNode, id: number): SearchEntry | null {
  const [dn, list, ...others] = operation.content as BerNode[];
  const listed = children(list, 0x30);
  if (dn?.tag !== 0x04 || listed === null || others.length > 0) return null;
  const attributes = [];
  for (const attribute of listed) {
    const [description, set, ...more] = children(attribute, 0x30) ?? [];
    const values = children(set, 0x31);
    if (description?.tag !== 0x04 || values === null || more.length > 0) return null;
    if (values.some(({ tag }) => tag !== 0x04)) return null;
    attributes.push({
      description: String(description.content),
      values: values.map(({ content }) => content as Buffer),
    });
  }
  const names = attributes.map(({ description }) => description.toLowerCase());
  if (new Set(names).size < names.length) return null;
  return { kind: "entry", id, dn: String(dn.content), attributes };
}

function children(element: BerNode | undefined, tag: number): BerNode[] | null {
  return element?.tag === tag && !Buffer.isBuffer(element.content) ? element.content : null;
}

function integerOf({ content }: BerNode): number | null {
  if (!Buffer.isBuffer(content) || content.length < 1 || content.length > 4) return null;
  return content.readIntBE(0, content.length);
}

/** A store, and a directory that answers its first search on each connection as it is told, and the others as it ought to. */
class Lane {
  readonly #server: ScriptedLdap;
  readonly #store: LdapStore;
  #answer: (request: ScriptedRequest) => void = () => {};
  /** Connections on which that answer was given. */
  #answered = new WeakSet<object>();

  private constructor(server: ScriptedLdap) {
    this.#server = server;
    const { options } = parseLdapConf({ ...conf, ldap_uri: `ldap://127.0.0.1:${server.port}` });
    this.#store = new LdapStore({ ...options, connection: { ...options.connection, timeout: PATIENCE } }, silentLog);
  }

  static async open(): Promise<Lane> {
    const lane: Lane = new Lane(await ScriptedLdap.start((request) => lane.#serve(request)));
    return lane;
  }

  /** What the store makes of an answer: facts, or the error. */
  async lookup(mailbox: MailboxId, answer: (request: ScriptedRequest) => void): Promise<unknown> {
    this.#answer = answer;
    try {
      return await this.#store.lookup(mailbox, new Lookup());
    } catch (error) {
      return error;
    } finally {
      this.#server.cut();
      this.#server.requests.length = 0;
    }
  }

  async close(): Promise<void> {
    await this.#store.close();
    await this.#server.close();
  }

  #serve(request: ScriptedRequest): void {
    const { id, operation, socket } = request;
    if (operation === BIND) socket.write(ldapResult(id, 0x61));
    if (operation !== SEARCH) return;
    if (this.#answered.has(socket)) {
      socket.write(Buffer.concat([ldapEntry(id, "uid=somebody"), ldapResult(id, SEARCH_DONE, SIZE_LIMIT_EXCEEDED)]));
      return;
    }
    this.#answered.add(socket);
    this.#answer(request);
  }
}

let lanes: readonly Lane[];

beforeAll(async () => {
  lanes = await Promise.all(Array.from({ length: LANES }, () => Lane.open()));
});
afterAll(async () => {
  for (const lane of lanes) await lane.close();
});

/** Asks for a mailbox whose answer is made by `write`. Rejects where the store says what was not said. */
async function attempt(lane: Lane, mailbox: MailboxId, write: (id: number) => Buffer, how: Omit<Mutation, "edits">) {
  let sent: Buffer = Buffer.alloc(0);
  let id = 0;
  const outcome = await lane.lookup(mailbox, (request) => {
    id = request.id;
    sent = write(id);
    send(request, sent, how);
  });
  const says = said(sent, mailbox, id);
  const right = says === null ? truth : says;
  const isRight = outcome instanceof StoreError || JSON.stringify(outcome) === JSON.stringify(right);
  if (!isRight) throw new Error(`to ${hex(sent)}: ${describe(outcome)} and not ${describe(right)}`);
}

function send({ socket }: ScriptedRequest, octets: Buffer, { sizes, isSilent }: Omit<Mutation, "edits">): void {
  let rest = octets;
  for (const size of sizes) {
    socket.write(rest.subarray(0, size));
    rest = rest.subarray(size);
  }
  if (isSilent) socket.write(rest);
  else socket.end(rest);
}

function describe(outcome: unknown): string {
  return outcome instanceof Error ? `${outcome.stack}` : JSON.stringify(outcome);
}

/** Asks again where a busy machine makes the server late. */
async function expectRight(lane: Lane): Promise<void> {
  for (const mailbox of [anna, lists]) {
    const write = (id: number) => Buffer.concat(answerFor(mailbox, id).map(encode));
    expect(said(write(7), mailbox, 7)).toEqual(truth);
    const answer = (request: ScriptedRequest) => send(request, write(request.id), { sizes: [], isSilent: true });
    await expect.poll(() => lane.lookup(mailbox, answer), { timeout: AGES, interval: 10 }).toEqual(truth);
  }
}

it("the answers are right when nothing is changed", { timeout }, async () => {
  for (const lane of lanes) await expectRight(lane);
});

it.each(readdirSync(corpus).sort())("kept answer: %s", async (name) => {
  const [lane] = lanes as [Lane];
  const text = readFileSync(join(corpus, name), "utf8").replace(/\s/g, "");
  const write = (id: number) => Buffer.from(text.replaceAll("II", id.toString(16).padStart(2, "0")), "hex");
  for (const mailbox of [anna, lists]) {
    for (const isSilent of [true, false]) await attempt(lane, mailbox, write, { sizes: [], isSilent });
  }
});

it("answers that are changed at random", { timeout }, async () => {
  const before = process.memoryUsage().rss;
  await tryAll({
    inputs: fc.record({ mailbox: fc.constantFrom(anna, lists), mutation: anyMutation }),
    count: inProportion(6_000),
    lanes,
    attempt: ({ mailbox, mutation }, lane) =>
      attempt(lane, mailbox, (id) => mutate(answerFor(mailbox, id), id, mutation.edits), mutation),
  });
  expect(process.memoryUsage().rss - before).toBeLessThan(300 * 2 ** 20);
  for (const lane of lanes) await expectRight(lane);
});

it("octets that are changed at random are read as responses or refused", { timeout }, () => {
  const chunk = fc.oneof(
    fc.uint8Array({ maxLength: 60 }).map((octets) => Buffer.from(octets)),
    fc.record({ mailbox: fc.constantFrom(anna, lists), mutation: anyMutation }).map(({ mailbox, mutation }) => {
      return mutate(answerFor(mailbox, 7), 7, mutation.edits);
    }),
  );
  fc.assert(
    fc.property(fc.array(chunk, { maxLength: 3 }), (chunks) => {
      const reader = new ResponseReader();
      try {
        for (const octets of chunks)
          for (const response of reader.read(octets)) expect(response.id).toEqual(expect.any(Number));
      } catch (error) {
        if (!(error instanceof BerError)) throw error;
      }
    }),
    { numRuns: inProportion(10_000), seed },
  );
});
