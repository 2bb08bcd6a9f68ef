/**
 * The native schema (schema.sql). A request is one statement along primary keys: the mailbox, beside it the nearest
 * quota root of its own, beside that the root of the whole domain.
 */
import type { Database, Statement } from "better-sqlite3";
import {
  type FolderPaths,
  type MailboxFacts,
  type MailboxId,
  type StoreCapabilities,
  StoreError,
} from "../../src/store/store.ts";
import {
  absent,
  limitedResources,
  limitFrom,
  noQuotas,
  present,
  rightsFrom,
  usageFrom,
  type ZeroLimit,
} from "./row.ts";
import { PLACEHOLDER } from "./sql-text.ts";
import type { Layout, Tables } from "./tables.ts";

const columns = `
  m.rights, own.folder,
  own.storage_limit, own.storage_used, own.message_limit, own.message_used,
  domain.storage_limit, domain.storage_used, domain.message_limit, domain.message_used`;

/** The root of a whole domain: only for a mailbox without a root of its own, and never for the default domain. */
const domainRoot = `
  LEFT JOIN quota_roots domain ON own.folder IS NULL
    AND domain.domain = m.domain AND m.domain <> '' AND domain.user = '' AND domain.folder = ''`;

const inboxQuery = `
  SELECT ${columns}
  FROM mailboxes m
  LEFT JOIN quota_roots own ON own.domain = m.domain AND own.user = m.user AND own.folder = ''
  ${domainRoot}
  WHERE m.domain = ${PLACEHOLDER} AND m.user = ${PLACEHOLDER} AND m.folder = ''`;

/**
 * Ancestors of a path are sorted before it, the nearest last. The first parameter is the topmost ancestor: it keeps the
 * search within one shared folder.
 */
const folderQuery = `
  SELECT ${columns}
  FROM mailboxes m
  LEFT JOIN quota_roots own ON own.domain = m.domain AND own.user = m.user AND own.folder = (
    SELECT root.folder FROM quota_roots root
    WHERE root.domain = m.domain AND root.user = m.user AND root.folder BETWEEN ${PLACEHOLDER} AND m.folder
      AND (root.folder = '' OR substr(m.folder || '/', 1, length(root.folder) + 1) = root.folder || '/')
    ORDER BY root.folder DESC LIMIT 1)
  ${domainRoot}
  WHERE m.domain = ${PLACEHOLDER} AND m.user = ${PLACEHOLDER} AND m.folder = ${PLACEHOLDER}`;

/** Absence in one statement: nobody has the mailbox, although somebody has one. */
const absenceQuery = `
  SELECT EXISTS (SELECT 1 FROM mailboxes),
    EXISTS (SELECT 1 FROM mailboxes WHERE domain = ${PLACEHOLDER} AND user = ${PLACEHOLDER} AND folder = ${PLACEHOLDER})`;

const foldersQuery = `
  SELECT folder FROM mailboxes WHERE domain = ${PLACEHOLDER} AND user = ${PLACEHOLDER} AND folder <> ''`;

type Row = [
  rights: unknown,
  ownFolder: string | null,
  ownStorageLimit: unknown,
  ownStorageUsed: unknown,
  ownMessageLimit: unknown,
  ownMessageUsed: unknown,
  domainStorageLimit: unknown,
  domainStorageUsed: unknown,
  domainMessageLimit: unknown,
  domainMessageUsed: unknown,
];

export class NativeLayout implements Layout {
  readonly capabilities: StoreCapabilities = {
    folders: true,
    shared: true,
    isInstant: true,
    quota: ["STORAGE", "MESSAGE"],
  };
  readonly listsFolders = true;
  readonly remedy = "create the tables with schema.sql, or set smmap_sql_query for tables of your own";
  readonly #zero: ZeroLimit;

  constructor(zero: ZeroLimit) {
    this.#zero = zero;
  }

  prepare(database: Database): Tables {
    return new NativeTables(database, this.#zero);
  }
}

class NativeTables implements Tables {
  readonly warnings = [];
  readonly #zero: ZeroLimit;
  readonly #inbox: Statement<[string, string], Row>;
  readonly #folder: Statement<[string, string, string, string], Row>;
  readonly #absence: Statement<[string, string, string], [isAnyThere: 0 | 1, isThere: 0 | 1]>;
  readonly #folders: Statement<[string, string], string>;

  constructor(database: Database, zero: ZeroLimit) {
    this.#zero = zero;
    this.#inbox = database.prepare<[string, string], Row>(inboxQuery).raw(true);
    this.#folder = database.prepare<[string, string, string, string], Row>(folderQuery).raw(true);
    this.#absence = database.prepare<[string, string, string], [0 | 1, 0 | 1]>(absenceQuery).raw(true);
    this.#folders = database.prepare<[string, string], string>(foldersQuery).pluck(true);
  }

  find(mailbox: MailboxId): MailboxFacts {
    const { kind, folders } = mailbox;
    const domain = mailbox.domain ?? "";
    if (kind === "user") return this.#find(domain, unescapeDots(mailbox.user), folders, 0, false);
    const owner = ownerWithin(folders);
    return owner === undefined
      ? this.#find(domain, "", folders, 0, true)
      : this.#find(domain, unescapeDots(owner), folders, 2, true);
  }

  folders(mailbox: MailboxId): FolderPaths {
    const domain = mailbox.domain ?? "";
    if (mailbox.kind === "user") return this.#paths(domain, mailbox.user, []);
    const owner = ownerWithin(mailbox.folders);
    return owner === undefined ? this.#paths(domain, "", []) : this.#paths(domain, owner, ["user", owner]);
  }

  /** @param above levels that come before those that are stored */
  #paths(domain: string, user: string, above: readonly string[]): FolderPaths {
    return this.#folders.all(domain, unescapeDots(user)).map((folder) => [...above, ...folder.split("/")]);
  }

  /** @param from index of the first level that belongs to the path */
  #find(domain: string, user: string, levels: readonly string[], from: number, isShared: boolean): MailboxFacts {
    const path = levels.length === from ? "" : pathOf(levels, from);
    const row = path === "" ? this.#inbox.get(domain, user) : this.#folder.get(topOf(user, path), domain, user, path);
    if (row !== undefined) {
      const rights = isShared ? (rightsFrom(row[0]) ?? "") : null;
      return present(rights, quotasFrom(row, domain, user, this.#zero));
    }
    const [isAnyThere, isThere] = this.#absence.get(domain, user, path) ?? [0, 0];
    if (isAnyThere === 0) throw new StoreError("invalid-data", emptyTable);
    // Between the two statements, somebody has just made it.
    return isThere === 1 ? this.#find(domain, user, levels, from, isShared) : absent;
  }
}

const emptyTable = "sqlite: the table mailboxes is empty; nobody is taken for unknown before it holds a first mailbox";

/** Through the shared form +user/fred/Lists, a user's folder is addressed as a shared one. */
function ownerWithin(folders: readonly string[]): string | undefined {
  return folders.length > 1 && folders[0] === "user" ? folders[1] : undefined;
}

/** The topmost folder that can have a quota root for the path: the INBOX, or the first level of a shared folder. */
function topOf(user: string, path: string): string {
  if (user !== "") return "";
  const end = path.indexOf("/");
  return end < 0 ? path : path.slice(0, end);
}

function quotasFrom(row: Row, domain: string, user: string, zero: ZeroLimit) {
  const isOwn = row[1] !== null;
  const at = isOwn ? 2 : 6;
  const storage = row[at];
  const messages = row[at + 2];
  if (storage === null && messages === null) return noQuotas;
  const name = isOwn ? [user, row[1]].filter((part) => part !== "").join("/") : "";
  return limitedResources(domain === "" ? name : `${name}@${domain}`, {
    storageLimit: limitFrom(storage, 1, zero, "storage_limit"),
    storageUsed: usageFrom(row[at + 1], 1, "storage_used"),
    messageLimit: limitFrom(messages, 1, zero, "message_limit"),
    messageUsed: usageFrom(row[at + 3], 1, "message_used"),
  });
}

/** A folder's path as it is stored: levels separated by "/", from the given level on. */
function pathOf(folders: readonly string[], from: number): string {
  let path = storedLevel(folders[from] ?? "");
  for (let i = from + 1; i < folders.length; i++) path += `/${storedLevel(folders[i] ?? "")}`;
  return path;
}

/**
 * A level as it is stored. A "/" within a level, possible where "." is the separator, is turned into the one character
 * that no stored path has.
 */
function storedLevel(level: string): string {
  const dotted = unescapeDots(level);
  return dotted.includes("/") ? dotted.replaceAll("/", "^") : dotted;
}

/** Cyrus writes the dots of a name as "^", so the two are the same to it; we store ".". */
function unescapeDots(text: string): string {
  return text.includes("^") ? text.replaceAll("^", ".") : text;
}
