/**
 * An IMAP server whose answers come in every way out of shape: the store says what was said, or fails with a StoreError
 * in time. Above all, it takes nobody for unknown unless the server says so of this mailbox, in its answer to this command.
 *
 * An answer that ever led astray is kept in corpus/imap: the command it answers, a line break, and the answer.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { ImapOptions } from "../../adapters/imap/options.ts";
import { ImapStore } from "../../adapters/imap/store.ts";
import { ScriptedImap } from "../../fixtures/servers/scripted-imap.ts";
import { silentLog } from "../../src/conformance/index.ts";
import { Lookup } from "../../src/store/lookup.ts";
import {
  type MailboxFacts,
  type MailboxId,
  type MailboxPresent,
  type SharedMailbox,
  StoreError,
  type UserMailbox,
} from "../../src/store/store.ts";
import { hex, inProportion, timeout, tryAll } from "./campaign.ts";
import { anyMutation, type Mutation, mutate } from "./imap-mutations.ts";

/** Milliseconds that the store waits for the end of an answer. */
const PATIENCE = 100;
/** Milliseconds after which a look-up has not ended in time, however busy the machine is. */
const AGES = 20_000;
/** Stores and servers; most of them wait. */
const LANES = 32;

const corpus = new URL("corpus/imap/", import.meta.url).pathname;

const anna: UserMailbox = { kind: "user", user: "anna", domain: null, folders: [], address: "anna", detail: null };
const hill: UserMailbox = { ...anna, domain: "hill.test" };
const gone: UserMailbox = { ...anna, user: "gone" };
const news: SharedMailbox = { kind: "shared", domain: null, folders: ["news"], address: "", detail: "news" };

/** What the server says of them when all is well, by command. */
const answers: Readonly<Record<string, string>> = {
  'GETQUOTAROOT "user/anna"':
    "* QUOTAROOT user/anna user/anna\r\n* QUOTA user/anna (STORAGE 700 1000 MESSAGE 5 50)\r\nTAG OK Completed\r\n",
  'GETQUOTAROOT "user/anna@hill.test"': "* QUOTAROOT user/anna@hill.test\r\nTAG OK Completed\r\n",
  'GETQUOTA "@hill.test"': "* QUOTA @hill.test (STORAGE 700 1000 MESSAGE 5 50)\r\nTAG OK Completed\r\n",
  // Asked to confirm an absence.
  'GETACL "user/anna"': "* ACL user/anna anna lrswipkxtecda\r\nTAG OK Completed\r\n",
  'GETACL "user/anna@hill.test"': "* ACL user/anna@hill.test anna@hill.test lrswipkxtecda\r\nTAG OK Completed\r\n",
  'GETQUOTAROOT "user/gone"': "TAG NO Mailbox does not exist\r\n",
  'GETACL "user/gone"': "TAG NO Mailbox does not exist\r\n",
  // Asked where GETACL is refused.
  'MYRIGHTS "news"': "* MYRIGHTS news lrp\r\nTAG OK Completed\r\n",
  'GETACL "news"': "* ACL news anyone lrsp -anonymous s\r\nTAG OK Completed\r\n",
  'GETQUOTAROOT "news"':
    "* QUOTAROOT news news\r\n* QUOTA news (STORAGE 700 1000 MESSAGE 5 50)\r\nTAG OK Completed\r\n",
};

/** The mailboxes, the commands that each is asked for with, and the root of its quota. */
const cases = [
  { mailbox: anna, commands: ['GETQUOTAROOT "user/anna"'], root: "user/anna", rights: null },
  {
    mailbox: hill,
    commands: ['GETQUOTAROOT "user/anna@hill.test"', 'GETQUOTA "@hill.test"'],
    root: "@hill.test",
    rights: null,
  },
  { mailbox: news, commands: ['GETACL "news"', 'GETQUOTAROOT "news"'], root: "news", rights: "lrp" },
  { mailbox: gone, commands: ['GETACL "user/gone"'], root: null, rights: null },
] as const;
type Case = (typeof cases)[number];

function truthOf({ root, rights }: Case): MailboxFacts {
  if (root === null) return { exists: false };
  return {
    exists: true,
    rights,
    quotas: [
      { root, resource: "STORAGE", used: 700 * 1024, limit: 1000 * 1024 },
      { root, resource: "MESSAGE", used: 5, limit: 50 },
    ],
  };
}

const anyCase = fc.constantFrom(...cases.flatMap((each) => each.commands.map((command) => ({ each, command }))));

function optionsFor(port: number): ImapOptions {
  const login = { user: "cyrus", password: "secret", userid: null };
  const tls = { caFile: null, caDirectory: null, certificateFile: null, keyFile: null };
  const keepAlive = { enabled: false, idle: 1_000 };
  return {
    servers: [{ host: "127.0.0.1", port, security: "plain", isComplete: true, login, tls, keepAlive }],
    separator: "/",
    defaultDomain: "",
    postIdentity: "anyone",
    exactQuota: false,
    murder: "auto",
    poolSize: 1,
    poolMax: 1,
    connectTimeout: 10 * PATIENCE,
  };
}

/** The scripted server knows no mailboxes, and would say so. */
function byItself(command: string): string | null {
  return /^(?:GETQUOTAROOT|GETACL|MYRIGHTS) /.test(command) ? "TAG BAD what?\r\n" : null;
}

/** A store and its server, which answers one command as it is told. */
class Lane {
  readonly #server: ScriptedImap;
  readonly #store: ImapStore;
  #command = "";
  #answer = "";

  private constructor(server: ScriptedImap) {
    this.#server = server;
    this.#server.script = (command) =>
      command === this.#command ? this.#answer : (answers[command] ?? byItself(command));
    this.#store = new ImapStore(optionsFor(server.port), { log: silentLog, lookupTimeout: PATIENCE });
  }

  static async open(): Promise<Lane> {
    return new Lane(await ScriptedImap.start());
  }

  /** What the store says of a mailbox: facts, or the error. Rejects where it says nothing in time. */
  async lookup(mailbox: MailboxId, command = "", answer = ""): Promise<unknown> {
    this.#command = command;
    this.#answer = answer;
    let late: NodeJS.Timeout | undefined;
    try {
      return await Promise.race([
        this.#store.lookup(mailbox, new Lookup()).catch((error: unknown) => error),
        new Promise((_, reject) => {
          late = setTimeout(() => reject(new Error(`no end to ${hex(answer)}`)), AGES);
        }),
      ]);
    } finally {
      clearTimeout(late);
      this.#server.cut();
      this.#server.received.length = 0;
    }
  }

  async close(): Promise<void> {
    await this.#store.close();
    await this.#server.close();
  }
}

/** Asks for a mailbox of which one answer is another one. Rejects where the store says what was not said. */
async function attempt(lane: Lane, which: Case, command: string, answer: string, isSilent: boolean): Promise<void> {
  const outcome = await lane.lookup(which.mailbox, command, isSilent ? answer : `${answer}CUT`);
  if (outcome instanceof StoreError) return;
  const wrong = outcome instanceof Error ? outcome.stack : problemOf(outcome as MailboxFacts, which, command, answer);
  if (wrong === null) return;
  throw new Error(`${command} answered by ${hex(answer)}: ${wrong}: ${JSON.stringify(outcome)}`);
}

/** What is wrong with facts that are not an error; null: nothing. */
function problemOf(facts: MailboxFacts, which: Case, command: string, answer: string): string | null {
  const truth = truthOf(which);
  if (!facts.exists) {
    // No single answer makes a user absent that GETACL shows.
    if (which.mailbox.kind === "user" && truth.exists) return "absent, which was not confirmed";
    // A damaged octet can be the very tag: they are counted, and the login has the first.
    return /(?:^|\n)(?:TAG|[2-9A-Z]) NO +(?:Mailbox does not exist|\[NONEXISTENT[\] ])/i.test(answer)
      ? null
      : "absent, which was never said";
  }
  if (!truth.exists) return "there, which was never said";
  const isIntact = (answers[command] ?? "").split(/(?<=\r\n)/).every((line) => `\r\n${answer}`.includes(`\n${line}`));
  const unsaid = facts.quotas.filter(
    (quota) => !truth.quotas.some((each) => same(each, quota)) && !isSaid(quota, answer),
  );
  if (unsaid.length > 0) return "a quota that was never said";
  if (isIntact && !truth.quotas.every((quota) => facts.quotas.some((each) => same(each, quota))))
    return "a quota is missing";
  if (isIntact && facts.rights !== truth.rights) return "other rights than were said";
  return null;
}

function same(one: unknown, other: unknown): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

/** Whether an answer holds both figures; a limit that is beyond all figures is said by any that is. */
function isSaid({ resource, used, limit }: MailboxPresent["quotas"][number], answer: string): boolean {
  const unit = resource === "STORAGE" ? 1024 : 1;
  const isThere = (figure: number) => new RegExp(`(?<!\\d)0*${figure / unit}(?!\\d)`).test(answer);
  return isThere(used) && (isThere(limit) || (limit === Number.MAX_SAFE_INTEGER && /\d{13}/.test(answer)));
}

let lanes: readonly Lane[];

beforeAll(async () => {
  lanes = await Promise.all(Array.from({ length: LANES }, () => Lane.open()));
});
afterAll(async () => {
  for (const lane of lanes) await lane.close();
});

/** Asks again where a busy machine makes the server late. */
async function expectRight(lane: Lane): Promise<void> {
  for (const each of cases) {
    await expect.poll(() => lane.lookup(each.mailbox), { timeout: AGES, interval: 10 }).toEqual(truthOf(each));
  }
}

it("the answers are right when nothing is changed", { timeout }, async () => {
  for (const lane of lanes) await expectRight(lane);
});

it.each(readdirSync(corpus).sort())("kept answer: %s", async (name) => {
  const [lane] = lanes as [Lane];
  const text = readFileSync(join(corpus, name), "latin1");
  const command = text.slice(0, text.indexOf("\n"));
  const which = cases.find(({ commands }) => commands.some((each) => each === command));
  if (which === undefined) throw new Error(`${name}: no case for ${command}`);
  for (const isSilent of [true, false]) await attempt(lane, which, command, text.slice(command.length + 1), isSilent);
});

it("answers that are changed at random", { timeout }, async () => {
  const before = process.memoryUsage().rss;
  await tryAll({
    inputs: fc.record({ chosen: anyCase, mutation: anyMutation }),
    count: inProportion(2_000),
    lanes,
    attempt: (
      { chosen: { each, command }, mutation }: { chosen: { each: Case; command: string }; mutation: Mutation },
      lane,
    ) => attempt(lane, each, command, mutate(answers[command] ?? "", mutation.edits), mutation.isSilent),
  });
  expect(process.memoryUsage().rss - before).toBeLessThan(300 * 2 ** 20);
  for (const lane of lanes) await expectRight(lane);
});
