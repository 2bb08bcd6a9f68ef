/**
 * The native schema (schema.sql). A look-up reads one row by its primary key: the mailbox, its limits and its usage. If
 * the row has no limits, the rows above it are read for theirs.
 */
import type { Database, Statement } from "better-sqlite3";
import {
  type FolderPaths,
  type MailboxFacts,
  type MailboxId,
  type QuotaUsage,
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
} from "../sql/columns.ts";
import { PLACEHOLDER } from "./dialect.ts";
import type { Layout, Tables } from "./tables.ts";

const limits = "storage_limit, storage_used, message_limit, message_used";
const named = `FROM mailboxes WHERE user = ${PLACEHOLDER} AND domain = ${PLACEHOLDER} AND folder = ${PLACEHOLDER}`;
const mailboxQuery = `SELECT ${limits} ${named} AND takes_mail`;
const sharedQuery = `SELECT ${limits}, rights ${named} AND takes_mail`;
const rootQuery = `SELECT ${limits} ${named}`;

const foldersQuery = `
  SELECT folder FROM mailboxes
  WHERE user = ${PLACEHOLDER} AND domain = ${PLACEHOLDER} AND folder <> '' AND takes_mail`;

const anyQuery = "SELECT 1 FROM mailboxes LIMIT 1";

type Row = [
  storageLimit: unknown,
  storageUsed: unknown,
  messageLimit: unknown,
  messageUsed: unknown,
  /** Only of `sharedQuery`. */
  rights?: unknown,
];
type RowStatement = Statement<[user: string, domain: string, folder: string], Row>;

export class NativeLayout implements Layout {
  readonly capabilities: StoreCapabilities = {
    folders: true,
    shared: true,
    isLocal: true,
    quota: ["STORAGE", "MESSAGE"],
  };
  readonly listsFolders = true;
  readonly ownTable = "mailboxes";
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
  readonly isVolatile = false;
  readonly #zero: ZeroLimit;
  readonly #mailbox: RowStatement;
  readonly #shared: RowStatement;
  readonly #root: RowStatement;
  readonly #any: Statement<[], 1>;
  readonly #folders: Statement<[string, string], string>;

  constructor(database: Database, zero: ZeroLimit) {
    this.#zero = zero;
    this.#mailbox = database.prepare<[string, string, string], Row>(mailboxQuery).raw(true);
    this.#shared = database.prepare<[string, string, string], Row>(sharedQuery).raw(true);
    this.#root = database.prepare<[string, string, string], Row>(rootQuery).raw(true);
    this.#any = database.prepare<[], 1>(anyQuery).pluck(true);
    this.#folders = database.prepare<[string, string], string>(foldersQuery).pluck(true);
  }

  find(mailbox: MailboxId): MailboxFacts {
    const { kind, folders } = mailbox;
    const domain = mailbox.domain ?? "";
    if (kind === "user") return this.#find(unescapeDots(mailbox.user), domain, pathOf(folders, 0), false);
    const owner = ownerWithin(folders);
    return owner === undefined
      ? this.#find("", domain, pathOf(folders, 0), true)
      : this.#find(unescapeDots(owner), domain, pathOf(folders, 2), true);
  }

  folders(mailbox: MailboxId): FolderPaths {
    const domain = mailbox.domain ?? "";
    if (mailbox.kind === "user") return this.#paths(mailbox.user, domain, []);
    const owner = ownerWithin(mailbox.folders);
    return owner === undefined ? this.#paths("", domain, []) : this.#paths(owner, domain, ["user", owner]);
  }

  /** @param above levels in front of the stored ones */
  #paths(user: string, domain: string, above: readonly string[]): FolderPaths {
    return this.#folders.all(unescapeDots(user), domain).map((folder) => [...above, ...folder.split("/")]);
  }

  #find(user: string, domain: string, path: string, isShared: boolean): MailboxFacts {
    const row = (isShared ? this.#shared : this.#mailbox).get(user, domain, path);
    if (row === undefined) {
      if (this.#any.get() === undefined) throw new StoreError("invalid-data", emptyTable);
      return absent;
    }
    const rights = isShared ? (rightsFrom(row[4]) ?? "") : null;
    const quotas = isRoot(row) ? this.#quotas(row, user, domain, path) : this.#quotasAbove(user, domain, path);
    return present(rights, quotas);
  }

  /** The limits of the nearest row above that has any: a folder on the path, the INBOX, the whole domain. */
  #quotasAbove(user: string, domain: string, path: string): readonly QuotaUsage[] {
    for (let above = parentOf(path); above !== null; above = parentOf(above)) {
      if (above === "" && user === "") break;
      const row = this.#root.get(user, domain, above);
      if (row !== undefined && isRoot(row)) return this.#quotas(row, user, domain, above);
    }
    // The default domain has no root of its own.
    const row = domain === "" ? undefined : this.#root.get("", domain, "");
    return row !== undefined && isRoot(row) ? this.#quotas(row, "", domain, "") : noQuotas;
  }

  #quotas(row: Row, user: string, domain: string, path: string): readonly QuotaUsage[] {
    const [storageLimit, storageUsed, messageLimit, messageUsed] = row;
    const name = user !== "" && path !== "" ? `${user}/${path}` : user + path;
    return limitedResources(domain === "" ? name : `${name}@${domain}`, {
      storageLimit: limitFrom(storageLimit, 1, this.#zero, "storage_limit"),
      storageUsed: usageFrom(storageUsed, 1, "storage_used"),
      messageLimit: limitFrom(messageLimit, 1, this.#zero, "message_limit"),
      messageUsed: usageFrom(messageUsed, 1, "message_used"),
    });
  }
}

const emptyTable = "sqlite: the table mailboxes is empty, so no mailbox counts as absent: insert the first one";

/** The owner in +user/fred/Lists, which addresses a user's folder as a shared one; undefined: none. */
function ownerWithin(folders: readonly string[]): string | undefined {
  return folders.length > 1 && folders[0] === "user" ? folders[1] : undefined;
}

/** True if a row is a quota root; -1 in it means no limit. */
function isRoot(row: Row): boolean {
  return row[0] !== null || row[2] !== null;
}

/** The path one level up: '' for a folder at the top, null for ''. */
function parentOf(path: string): string | null {
  return path === "" ? null : path.slice(0, Math.max(0, path.lastIndexOf("/")));
}

/** A folder's path as it is stored: levels separated by "/", from the given level on. */
function pathOf(folders: readonly string[], from: number): string {
  if (folders.length === from) return "";
  let path = storedLevel(folders[from] ?? "");
  for (let i = from + 1; i < folders.length; i++) path += `/${storedLevel(folders[i] ?? "")}`;
  return path;
}

/**
 * A level as it is stored. A "/" within a level, which is possible with "." as the separator, becomes "^", the one
 * character that no stored path contains.
 */
function storedLevel(level: string): string {
  const dotted = unescapeDots(level);
  return dotted.includes("/") ? dotted.replaceAll("/", "^") : dotted;
}

/** Cyrus writes the dots of a name as "^" and does not distinguish the two. The schema stores ".". */
function unescapeDots(text: string): string {
  return text.includes("^") ? text.replaceAll("^", ".") : text;
}
