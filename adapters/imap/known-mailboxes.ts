/**
 * Whether a server still shows what it has shown before. One that lost its list of mailboxes, wholly or in part, says
 * "does not exist" of every mailbox in the words that it has for unknown addresses. So an absence counts only beside
 * mailboxes that exist: a few names that look-ups have found are remembered, and asked for again.
 *
 * Names that were found twice, with ESTABLISHED_AFTER between, are established: all of them have to be there. They are
 * asked for on each new connection, because a list is lost and filled while its server is stopped, and from then on one of
 * them once in RECHECK_AFTER, in turn; in a murder with each absence, because a list is emptied and filled there while its
 * server serves. While there is none, one name that was found has to be there. A look-up has its connection to itself, so
 * there is never more than one check on a connection.
 */
import { type Log, StoreError } from "../../src/store/store.ts";
import type { ImapConnection } from "./commands.ts";
import { listedName } from "./responses.ts";
import { isNoSuchMailbox, mustSucceed, type Session } from "./session.ts";

/** Names that are established; each is a round trip on a new connection. */
const ESTABLISHED_MAX = 8;
/** Names of which one may become established when it is found again. */
const CANDIDATES_MAX = 64;
/** Milliseconds between two look-ups that find a mailbox and make it established. */
const ESTABLISHED_AFTER = 60_000;
/** Milliseconds for which a check of a connection counts. */
const RECHECK_AFTER = 1_000;
/** Milliseconds after which a single name that is missing is taken for deleted. */
const DELETED_AFTER = 60_000;
/** Milliseconds until a listing that failed is tried again; on a server with a million mailboxes it takes too long. */
const LIST_AGAIN_AFTER = 30_000;

export class KnownMailboxes {
  readonly #log: Log;
  readonly #names = new Set<string>();
  /** When names that are not established were found first, on the clock of performance.now(). */
  readonly #candidates = new Map<string, number>();
  /** When names were found missing first, on the clock of performance.now(). */
  readonly #missing = new Map<string, number>();
  /** When the last check of a connection was passed. */
  readonly #passed = new WeakMap<ImapConnection, number>();
  /** When any check failed last: what was passed before it does not count. */
  #failedAt = Number.NEGATIVE_INFINITY;
  #failure: StoreError | null = null;
  #listAgainAt = Number.NEGATIVE_INFINITY;
  #turn = 0;

  constructor(log: Log) {
    this.#log = log;
  }

  /** A look-up has found a mailbox of this name. */
  remember(name: string): void {
    if (this.#names.size >= ESTABLISHED_MAX || this.#names.has(name)) return;
    const foundAt = this.#candidates.get(name);
    if (foundAt === undefined) {
      if (this.#candidates.size < CANDIDATES_MAX) this.#candidates.set(name, performance.now());
    } else if (performance.now() - foundAt >= ESTABLISHED_AFTER) {
      this.#candidates.delete(name);
      this.#names.add(name);
    }
  }

  /**
   * Resolves where the server shows the other known mailboxes, so that the absence of `absent` counts; `absent` is
   * forgotten then. Gives whether the server was asked, and not a moment ago. Rejects with StoreError where it does not.
   */
  async confirm(session: Session, absent: string): Promise<boolean> {
    const { connection } = session;
    this.#candidates.delete(absent);
    if (this.#failure !== null && performance.now() - this.#failedAt < RECHECK_AFTER) throw this.#failure;
    const isKnown = this.#names.has(absent);
    if (!isKnown && !session.isInMurder && this.#isFresh(connection)) return false;
    const isNew = !this.#passed.has(connection) || this.#missing.size > 0;
    const others = [...this.#names].filter((name) => name !== absent);
    if (others.length === 0) await this.#checkCandidates(session, absent);
    else if (isKnown || isNew) await this.#check(session, others);
    else await this.#check(session, [others[this.#turn++ % others.length] as string]);
    if (isKnown) this.#forget(absent);
    this.#passed.set(connection, performance.now());
    this.#failure = null;
    return true;
  }

  #isFresh(connection: ImapConnection): boolean {
    const passed = this.#passed.get(connection) ?? Number.NEGATIVE_INFINITY;
    return passed > this.#failedAt && performance.now() - passed < RECHECK_AFTER;
  }

  /** Resolves when one candidate is shown, and forgets those that are not. */
  async #checkCandidates(session: Session, absent: string): Promise<void> {
    for (const name of [...this.#candidates.keys()].slice(0, ESTABLISHED_MAX)) {
      if (await isShown(session, name)) return;
      this.#candidates.delete(name);
    }
    await this.#list(session, absent);
  }

  async #check(session: Session, names: readonly string[]): Promise<void> {
    for (const name of names) {
      if (await isShown(session, name)) this.#missing.delete(name);
      else if (!this.#missing.has(name)) this.#missing.set(name, performance.now());
    }
    const gone = names.filter((name) => this.#missing.has(name));
    if (gone.length === 0) return;
    const [first = ""] = gone;
    const since = this.#missing.get(first) ?? 0;
    if (gone.length === 1 && performance.now() - since >= DELETED_AFTER) {
      if (names.length === 1) await this.#checkCandidates(session, first);
      this.#log.notice(`imap: ${first} is not there any more, while other mailboxes are: taken for deleted`);
      this.#forget(first);
      return;
    }
    throw this.#fail(
      `imap: ${session.server.host} does not show ${gone.length} of ${this.#names.size} mailboxes that it has shown ` +
        `before, such as ${first}, so absent mailboxes cannot be told from lost ones: is its list of mailboxes ` +
        "(mailboxes.db) complete? If they were deleted, reload smmapd",
    );
  }

  /**
   * Finds mailboxes by a list of them all, which a server with many takes long for.
   * @param absent is not one of them
   */
  async #list({ connection, server, isAdministrator, naming }: Session, absent: string): Promise<void> {
    const now = performance.now();
    if (now < this.#listAgainAt) {
      throw new StoreError("denied", "imap: no mailbox was found yet beside which an absence would count");
    }
    this.#listAgainAt = now + LIST_AGAIN_AFTER;
    const pattern = isAdministrator ? `user${naming.separator}%` : `${naming.sharedPrefix}*`;
    const responses = mustSucceed("LIST", await connection.command("LIST", ["", pattern], ["LIST"]));
    const listed = responses.map(listedName).filter(({ name, exists }) => exists && name !== absent);
    const names = listed.map(({ name }) => name);
    this.#listAgainAt = performance.now() + RECHECK_AFTER;
    if (names.length === 0) {
      throw this.#fail(
        `imap: ${server.host} shows no mailbox at all, so absent mailboxes cannot be told from lost ones: is its list ` +
          "of mailboxes (mailboxes.db) there?",
      );
    }
    // From all parts of the list, for a part of it may be lost.
    for (let i = 0; i < ESTABLISHED_MAX; i++) {
      this.remember(names[Math.floor((i * names.length) / ESTABLISHED_MAX)] as string);
    }
  }

  #fail(message: string): StoreError {
    this.#failedAt = performance.now();
    this.#failure = new StoreError("denied", message);
    return this.#failure;
  }

  #forget(name: string): void {
    this.#names.delete(name);
    this.#missing.delete(name);
  }
}

/** An administrator sees every mailbox, and a frontend of a murder answers both from its own list of mailboxes. */
export async function isShown(
  { connection, isAdministrator }: Session,
  name: string,
  command: "GETACL" | "MYRIGHTS" = isAdministrator ? "GETACL" : "MYRIGHTS",
): Promise<boolean> {
  const completion = await connection.command(command, [name]);
  if (isNoSuchMailbox(completion)) return false;
  mustSucceed(command, completion);
  return true;
}
