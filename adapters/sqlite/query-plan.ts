import type { Database } from "better-sqlite3";
import type { Query } from "../sql/query-text.ts";

/** One instruction of a statement's program, as EXPLAIN shows it (https://www.sqlite.org/opcode.html). */
interface Step {
  readonly opcode: string;
  /** The cursor of the instruction. */
  readonly p1: number;
  /** For OpenRead, the first page of the table. */
  readonly p2: number;
  /** For Function and PureFunc, the function and its number of arguments: "lower(1)". */
  readonly p4: string | null;
}

/** Functions that SQLite calls deterministic although they may read the clock. */
const clocks = "date time datetime julianday unixepoch strftime timediff".split(" ");
/** Flag of pragma_function_list (https://www.sqlite.org/pragma.html#pragma_function_list). */
const SQLITE_DETERMINISTIC = 0x800;

/**
 * Names of the tables that a query scans completely. EXPLAIN QUERY PLAN cannot be used: it says SCAN for the rows of a
 * subquery as well.
 */
export function tablesReadWhole(database: Database, query: Query): readonly string[] {
  const steps = explain(database, query);
  const opened = new Map(steps.filter(({ opcode }) => opcode === "OpenRead").map(({ p1, p2 }) => [p1, p2]));
  const rewound = steps.filter(({ opcode, p1 }) => opcode === "Rewind" && opened.has(p1));
  return namesOf(
    database,
    rewound.map(({ p1 }) => opened.get(p1) ?? 0),
  );
}

/** Names of all tables that a query reads; [] if one of them is virtual, because its rows are not in pages of the file. */
export function tablesRead(database: Database, query: Query): readonly string[] {
  const steps = explain(database, query);
  if (steps.some(({ opcode }) => opcode === "VOpen")) return [];
  const opened = steps.filter(({ opcode }) => opcode === "OpenRead" || opcode === "ReopenIdx");
  return namesOf(
    database,
    opened.map(({ p2 }) => p2),
  );
}

/** True if the result can change without a write to the file: by the clock, by random numbers, by virtual tables. */
export function isVolatile(database: Database, query: Query): boolean {
  const steps = explain(database, query);
  const called = steps
    .filter(({ opcode }) => opcode === "Function" || opcode === "PureFunc")
    .map(({ p4 }) => (p4 ?? "").replace(/\(.*/, ""));
  const isDeterministic = database
    .prepare<[string, number], 1>("SELECT 1 FROM pragma_function_list WHERE name = ? AND flags & ?")
    .pluck(true);
  return (
    steps.some(({ opcode }) => opcode === "VOpen") ||
    called.some((name) => clocks.includes(name) || isDeterministic.get(name, SQLITE_DETERMINISTIC) === undefined)
  );
}

function explain(database: Database, { sql, parameters }: Query): readonly Step[] {
  return database.prepare<unknown[], Step>(`EXPLAIN ${sql}`).all(parameters.map(() => null));
}

/** @param pages root pages of tables and of their indexes */
function namesOf(database: Database, pages: readonly number[]): readonly string[] {
  const nameOf = database
    .prepare<[number], string>("SELECT tbl_name FROM sqlite_schema WHERE rootpage = ?")
    .pluck(true);
  return [...new Set(pages.map((page) => nameOf.get(page) ?? "sqlite_schema"))];
}
