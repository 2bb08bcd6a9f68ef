/** One open handle on a database file, and the mailboxes found through it. It only ever reads. */
import SqliteDatabase, { type Database, type Statement } from "better-sqlite3";
import type { MailboxFacts, MailboxId } from "../../src/store/store.ts";
import type { Query } from "./sql-text.ts";
import type { Layout, Tables } from "./tables.ts";

/** Kibibytes of pages to keep: about as much as a million mailboxes take. Memory is used as pages are read. */
const CACHE_SIZE = 64 * 1024;
/** Look-ups in one read transaction, so that a writer never waits long for the end of a turn. */
const READS_MAX = 200;

/** One step of the program behind a statement, as EXPLAIN tells it. */
interface Opcode {
  readonly opcode: string;
  /** The cursor that the step is about. */
  readonly p1: number;
  /** For OpenRead, the first page of the table. */
  readonly p2: number;
}

export class Connection {
  readonly pageSize: number;
  readonly #database: Database;
  readonly #tables: Tables;
  readonly #begin: Statement<[]>;
  readonly #commit: Statement<[]>;
  /** Look-ups in this turn of the event loop; from the second on they are in a transaction. */
  #reads = 0;
  readonly #endTurn = () => this.#end();

  /** @throws whatever SQLite throws, and RefusedStatement */
  constructor(path: string, busyTimeout: number, layout: Layout) {
    this.#database = new SqliteDatabase(path, { readonly: true, fileMustExist: true, timeout: busyTimeout });
    try {
      // Views and generated columns of the file may call nothing but harmless functions; pages are checked as they come.
      this.#database.exec(
        `PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON; PRAGMA cache_size = -${CACHE_SIZE}`,
      );
      this.pageSize = this.#database.pragma("page_size", { simple: true }) as number;
      this.#tables = layout.prepare(this.#database);
      this.#begin = this.#database.prepare("BEGIN");
      this.#commit = this.#database.prepare("COMMIT");
    } catch (error) {
      this.#database.close();
      throw error;
    }
  }

  /**
   * Taking and giving back SQLite's lock costs more than a look-up, so the look-ups of one turn of the event loop share
   * one read transaction. A lonely one needs none.
   */
  find(mailbox: MailboxId): MailboxFacts {
    if (this.#reads === READS_MAX) this.#end();
    this.#reads++;
    if (this.#reads === 1) setImmediate(this.#endTurn);
    else if (this.#reads === 2) this.#begin.run();
    return this.#tables.find(mailbox);
  }

  /** Milliseconds that SQLite waits for a lock, and everything else with it. */
  set busyTimeout(milliseconds: number) {
    this.#database.pragma(`busy_timeout = ${milliseconds}`);
  }

  /** Drops what was read, so that the next look-up reads the file anew. */
  refresh(): void {
    this.#end();
    this.#database.pragma("shrink_memory");
  }

  /** Reads the schema. */
  probe(): void {
    this.#database.prepare("SELECT count(*) FROM sqlite_schema").get();
  }

  /** Names of the tables that a query reads from end to end, by SQLite's program for it (https://www.sqlite.org/opcode.html). */
  tablesReadWhole({ sql, parameters }: Query): readonly string[] {
    const program = this.#database.prepare<unknown[], Opcode>(`EXPLAIN ${sql}`).all(parameters.map(() => null));
    const pages = new Map(program.filter(({ opcode }) => opcode === "OpenRead").map(({ p1, p2 }) => [p1, p2]));
    const rewound = program.filter(({ opcode, p1 }) => opcode === "Rewind" && pages.has(p1));
    const nameOf = this.#database.prepare<[number], string>("SELECT tbl_name FROM sqlite_schema WHERE rootpage = ?");
    const names = rewound.map(({ p1 }) => nameOf.pluck(true).get(pages.get(p1) ?? 0) ?? "sqlite_schema");
    return [...new Set(names)];
  }

  close(): void {
    this.#database.close();
  }

  #end(): void {
    if (this.#database.inTransaction) this.#commit.run();
    this.#reads = 0;
  }
}
