/**
 * Checks that a server still lists mailboxes that it listed earlier. A server that lost its list of mailboxes
 * (mailboxes.db), wholly or in part, answers "Mailbox does not exist" for lost mailboxes as for unknown addresses. An
 * absence is therefore accepted only while known mailboxes exist: a few names that look-ups have found are kept and
 * checked again.
 *
 * A name that was found twice, at least ESTABLISHED_AFTER apart, is established; all established names must exist. All
 * are checked on each new connection, because a list is lost and restored while its server is stopped; after that, one
 * of them (round robin) per RECHECK_AFTER. In a murder, one is checked for each absence, because a frontend's list is
 * cleared and reloaded while it serves. While no name is established, one candidate must exist. A look-up has exclusive
 * use of its connection, so at most one check runs on a connection.
 */
import { type Log, StoreError } from "../../src/store/store.ts";
import type { ImapConnection } from "./commands.ts";
import { listedName } from "./responses.ts";
import { isNoSuchMailbox, mustSucceed, type Session } from "./session.ts";

/** Maximum number of established names; each costs a round trip on a new connection. */
const ESTABLISHED_MAX = 8;
/** Maximum number of candidates, which become established when they are found again. */
const CANDIDATES_MAX = 64;
/** Minimum milliseconds between the two look-ups that establish a name. */
const ESTABLISHED_AFTER = 60_000;
/** Milliseconds for which a passed check of a connection is valid. */
const RECHECK_AFTER = 1_000;
/** Milliseconds after which a single missing name is treated as deleted. */
const DELETED_AFTER = 60_000;
/** Milliseconds before a failed LIST is repeated; on a server with a million mailboxes it exceeds the deadline. */
const LIST_AGAIN_AFTER = 30_000;

export class KnownMailboxes {
  readonly #log: Log;
  readonly #names = new Set<string>();
  /** Time at which each candidate was first found, on the clock of performance.now(). */
  readonly #candidates = new Map<string, number>();
  /** Time at which each missing name was first missed, on the clock of performance.now(). */
  readonly #missing = new Map<string, number>();
  /** Time of the last passed check of a connection. */
  readonly #passed = new WeakMap<ImapConnection, number>();
  /** Time of the last failed check, which invalidates earlier passed ones. */
  #failedAt = Number.NEGATIVE_INFINITY;
  #failure: StoreError | null = null;
  #listAgainAt = Number.NEGATIVE_INFINITY;
  /** Index of the established name to check next. */
  #nextIndex = 0;

  constructor(log: Log) {
    this.#log = log;
  }

  /** Records that a look-up has found a mailbox of this name. */
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
   * Resolves if the other known mailboxes still exist, so that the absence of `absent` can be accepted, and removes
   * `absent` from the known names. The result is true if the server was queried, false if a recent check was still
   * valid. Rejects with StoreError if a known mailbox is missing.
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
    else await this.#check(session, [others[this.#nextIndex++ % others.length] as string]);
    if (isKnown) this.#forget(absent);
    this.#passed.set(connection, performance.now());
    this.#failure = null;
    return true;
  }

  #isFresh(connection: ImapConnection): boolean {
    const passed = this.#passed.get(connection) ?? Number.NEGATIVE_INFINITY;
    return passed > this.#failedAt && performance.now() - passed < RECHECK_AFTER;
  }

  /** Resolves when one candidate exists, and removes those that do not. */
  async #checkCandidates(session: Session, absent: string): Promise<void> {
    for (const name of [...this.#candidates.keys()].slice(0, ESTABLISHED_MAX)) {
      if (await isListed(session, name)) return;
      this.#candidates.delete(name);
    }
    await this.#list(session, absent);
  }

  async #check(session: Session, names: readonly string[]): Promise<void> {
    for (const name of names) {
      if (await isListed(session, name)) this.#missing.delete(name);
      else if (!this.#missing.has(name)) this.#missing.set(name, performance.now());
    }
    const gone = names.filter((name) => this.#missing.has(name));
    if (gone.length === 0) return;
    const [first = ""] = gone;
    const since = this.#missing.get(first) ?? 0;
    if (gone.length === 1 && performance.now() - since >= DELETED_AFTER) {
      if (names.length === 1) await this.#checkCandidates(session, first);
      this.#log.notice(`imap: ${first} no longer exists and other known mailboxes do: treated as deleted`);
      this.#forget(first);
      return;
    }
    throw this.#fail(
      `imap: ${gone.length} of ${this.#names.size} mailboxes found earlier no longer exist on ${session.server.host}, ` +
        `such as ${first}; absences are not accepted. Is mailboxes.db complete? If they were deleted, reload smmapd`,
    );
  }

  /**
   * Finds candidates by LIST of all mailboxes, which is slow on a large server.
   * @param absent name to exclude
   */
  async #list({ connection, server, isAdministrator, naming }: Session, absent: string): Promise<void> {
    const now = performance.now();
    if (now < this.#listAgainAt) {
      throw new StoreError("denied", "imap: absence cannot be confirmed: no existing mailbox is known yet");
    }
    this.#listAgainAt = now + LIST_AGAIN_AFTER;
    const pattern = isAdministrator ? `user${naming.separator}%` : `${naming.sharedPrefix}*`;
    const responses = mustSucceed("LIST", await connection.command("LIST", ["", pattern], ["LIST"]));
    const listed = responses.map(listedName).filter(({ name, exists }) => exists && name !== absent);
    const names = listed.map(({ name }) => name);
    this.#listAgainAt = performance.now() + RECHECK_AFTER;
    if (names.length === 0) {
      throw this.#fail(`imap: ${server.host} lists no mailboxes; absences are not accepted. Does mailboxes.db exist?`);
    }
    // Names are taken from all parts of the list, because a part of it may be lost.
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

/**
 * Whether the server's list contains a mailbox. An administrator sees every mailbox, and a frontend of a murder answers
 * both commands from its own list.
 */
export async function isListed(
  { connection, isAdministrator }: Session,
  name: string,
  command: "GETACL" | "MYRIGHTS" = isAdministrator ? "GETACL" : "MYRIGHTS",
): Promise<boolean> {
  const completion = await connection.command(command, [name]);
  if (isNoSuchMailbox(completion)) return false;
  mustSucceed(command, completion);
  return true;
}
