/**
 * Mailboxes of a live Cyrus server, queried over IMAP as its administrator. A user's mailbox takes one GETQUOTAROOT,
 * which shows existence and quota; its ACL is irrelevant. For a shared folder, the rights are queried as well. An
 * absence must be confirmed.
 */
import { acceptsPosting, Connector, EndpointHealth, LoginBackoff, ThrottledLog } from "../../src/store/kit/index.ts";
import {
  type FolderPaths,
  type Log,
  type LookupOptions,
  type MailboxFacts,
  type MailboxId,
  type MailboxStore,
  type QuotaUsage,
  type StoreCapabilities,
  type StoreContext,
  StoreError,
} from "../../src/store/store.ts";
import { ContradictionError, confirmAbsence, contradiction } from "./absence.ts";
import { ImapConnection } from "./commands.ts";
import { exactUsage } from "./exact-quota.ts";
import { foldersBeside } from "./folders.ts";
import { KnownMailboxes } from "./known-mailboxes.ts";
import { mailboxName } from "./names.ts";
import type { ImapOptions, ImapServer } from "./options.ts";
import { ConnectionPool } from "./pool.ts";
import { ownRights, quotaRoots, quotaUsage, rightsInAcl } from "./responses.ts";
import {
  isNoSuchMailbox,
  isNoSuchQuotaRoot,
  isPermissionDenied,
  mustSucceed,
  probeAccount,
  type Session,
} from "./session.ts";

const ABSENT: MailboxFacts = { exists: false };
/**
 * Milliseconds. Cyrus closes idle sessions after 30 minutes at the earliest; firewalls drop idle connections sooner.
 */
const PROBE_EVERY = 60_000;
/** Fraction of the deadline of a look-up after which it is slow; the rest remains for waiting look-ups. */
const SLOW_FRACTION = 0.125;

export class ImapStore implements MailboxStore {
  readonly name = "imap";
  readonly capabilities: StoreCapabilities;
  readonly #options: ImapOptions;
  readonly #log: Log;
  readonly #pool: ConnectionPool<Session>;
  readonly #warnings: ThrottledLog;
  /** Milliseconds for one command: the deadline of a whole look-up, after which the response is not needed. */
  readonly #commandTimeout: number;
  /** Known users' mailboxes, for sessions of an administrator. */
  readonly #knownUsers: KnownMailboxes;
  /** Known shared folders, for sessions of an ordinary account, which sees nothing else. */
  readonly #knownFolders: KnownMailboxes;

  constructor(options: ImapOptions, { log, lookupTimeout }: StoreContext) {
    const concurrency = options.poolMax;
    this.capabilities = { folders: true, shared: true, concurrency, quota: ["STORAGE", "MESSAGE"] };
    this.#options = options;
    this.#log = log;
    this.#warnings = new ThrottledLog(log, { interval: Number.POSITIVE_INFINITY });
    this.#commandTimeout = lookupTimeout;
    const shared = { logins: new LoginBackoff(log), health: new EndpointHealth() };
    this.#knownUsers = new KnownMailboxes(log);
    this.#knownFolders = new KnownMailboxes(log);
    this.#pool = new ConnectionPool({
      connectors: Array.from({ length: options.poolMax }, () => this.#connector(shared)),
      size: options.poolSize,
      slowAfter: lookupTimeout * SLOW_FRACTION,
      isLost: ({ connection }) => connection.isLost,
      probe: ({ connection }) => connection.command("NOOP"),
      probeEvery: PROBE_EVERY,
    });
  }

  lookup(mailbox: MailboxId, { signal }: LookupOptions): Promise<MailboxFacts> {
    // All folders of a user are on the same backend.
    const key = mailbox.kind === "user" ? `${mailbox.user}@${mailbox.domain ?? ""}` : `+${mailbox.folders.join("/")}`;
    return this.#pool.use((session) => this.#find(session, mailbox, signal), signal, key);
  }

  similarFolders(mailbox: MailboxId, { signal }: LookupOptions): Promise<FolderPaths> {
    return this.#pool.use((session) => foldersBeside(session, mailbox), signal);
  }

  async ping({ signal }: LookupOptions): Promise<void> {
    await this.#pool.use(({ connection }) => connection.command("NOOP"), signal);
  }

  async close(): Promise<void> {
    this.#pool.close();
  }

  /** Retries once if the answers contradict each other: the mailbox may have been created between two commands. */
  async #find(session: Session, mailbox: MailboxId, signal: AbortSignal): Promise<MailboxFacts> {
    try {
      return await this.#findOnce(session, mailbox, signal);
    } catch (error) {
      if (!(error instanceof ContradictionError) || signal.aborted) throw error;
      return await this.#findOnce(session, mailbox, signal);
    }
  }

  async #findOnce(session: Session, mailbox: MailboxId, signal: AbortSignal): Promise<MailboxFacts> {
    const { connection, naming, isAdministrator } = session;
    if (mailbox.kind === "user" && !isAdministrator) {
      throw new StoreError(
        "denied",
        "imap: the account is not an administrator of the server and cannot see users' mailboxes",
      );
    }
    const name = mailboxName(mailbox, naming);
    if (name === null) return ABSENT;
    const known = isAdministrator ? this.#knownUsers : this.#knownFolders;
    const rights = mailbox.kind === "shared" ? await this.#rights(session, name) : null;
    if (rights === undefined) {
      await confirmAbsence(session, name, known, true);
      return ABSENT;
    }
    if (rights !== null && session.absenceProblem !== null && !acceptsPosting(mailbox, { rights })) {
      const problem = `imap: missing rights on a shared folder are not confirmed: ${session.absenceProblem}`;
      throw new StoreError("denied", problem);
    }
    // An ordinary account may not see every quota, and without the right to post the quota is irrelevant.
    if (!isAdministrator && !acceptsPosting(mailbox, { rights })) return { exists: true, rights, quotas: [] };
    const quotas = await quotasOf(connection, name, mailbox.domain);
    if (quotas === undefined) {
      if (!isAdministrator) {
        // An ordinary account can have rights on a folder without access to its quota; the folder is known to exist.
        throw new StoreError("denied", `imap: the account may not see the quota of ${name}`);
      }
      if (rights !== null) throw contradiction(session);
      await confirmAbsence(session, name, known, false);
      return ABSENT;
    }
    // An INBOX exists as long as its user; folders are created and deleted more often.
    if (mailbox.kind === "user" ? mailbox.folders.length === 0 : !isAdministrator) known.remember(name);
    if (!this.#options.exactQuota || !isAdministrator) return { exists: true, rights, quotas };
    return { exists: true, rights, quotas: await exactUsage(connection, quotas, naming, signal) };
  }

  /** Rights of the posting identity on a shared folder; undefined: the server reports it as nonexistent. */
  async #rights({ connection }: Session, name: string): Promise<string | undefined> {
    if (this.#options.postIdentity === "anyone") {
      const acl = await connection.command("GETACL", [name], ["ACL"]);
      if (isNoSuchMailbox(acl)) return undefined;
      if (!isPermissionDenied(acl)) return rightsInAcl(mustSucceed("GETACL", acl), name);
      this.#warnings.once(
        "imap: the server refused GETACL; the account's own rights on shared folders are used instead of those of " +
          `anyone and anonymous (first on ${name})`,
      );
    }
    const rights = await connection.command("MYRIGHTS", [name], ["MYRIGHTS"]);
    if (isNoSuchMailbox(rights)) return undefined;
    return ownRights(mustSucceed("MYRIGHTS", rights), name);
  }

  #connector(shared: {
    readonly logins: LoginBackoff;
    readonly health: EndpointHealth;
  }): Connector<ImapServer, Session> {
    const connector = new Connector<ImapServer, Session>({
      endpoints: this.#options.servers,
      connect: (server, signal) => this.#connect(server, signal, (session) => connector.lost(session)),
      disconnect: ({ connection }) => connection.close(),
      retire: ({ connection }) => connection.retire(),
      describe: ({ host, port, security }) => `${security === "tls" ? "imaps" : "imap"}://${host}:${port}`,
      ...shared,
      log: this.#log,
    });
    return connector;
  }

  async #connect(server: ImapServer, signal: AbortSignal, onLost: (session: Session) => void): Promise<Session> {
    const { connectTimeout, separator } = this.#options;
    let session: Session | null = null;
    const connection = await ImapConnection.open(
      server,
      {
        connectTimeout,
        commandTimeout: this.#commandTimeout,
        onLost: () => {
          if (session !== null) onLost(session);
        },
      },
      signal,
    );
    const giveUp = () => connection.close();
    signal.addEventListener("abort", giveUp, { once: true });
    try {
      session = await probeAccount(connection, server, this.#options);
    } catch (error) {
      connection.close();
      throw error;
    } finally {
      signal.removeEventListener("abort", giveUp);
    }
    if (session.naming.separator !== separator) {
      this.#warnings.once(
        `imap: ${server.host}: the server's hierarchy separator is "${session.naming.separator}"; addresses use ` +
          `"${separator}" (unixhierarchysep)`,
      );
    }
    return session;
  }
}

/** Limited resources of the nearest quota root; undefined: the server reports the mailbox as nonexistent. */
async function quotasOf(
  connection: ImapConnection,
  name: string,
  domain: string | null,
): Promise<readonly QuotaUsage[] | undefined> {
  const completion = await connection.command("GETQUOTAROOT", [name], ["QUOTAROOT", "QUOTA"]);
  if (isNoSuchMailbox(completion)) return undefined;
  const responses = mustSucceed("GETQUOTAROOT", completion);
  const roots = quotaRoots(responses, name);
  if (roots.length > 0 || domain === null) return quotaUsage(responses, roots);
  // A domain's own root that was set after the mailbox was created applies, but is not in the response.
  const domainRoot = `@${domain}`;
  const quota = await connection.command("GETQUOTA", [domainRoot], ["QUOTA"]);
  return isNoSuchQuotaRoot(quota) ? [] : quotaUsage(mustSucceed("GETQUOTA", quota), [domainRoot]);
}
