import type { Database } from "better-sqlite3";
import type { Query } from "./sql-text.ts";

/** One step of the program behind a statement, as EXPLAIN tells it (https://www.sqlite.org/opcode.html). */
interface Step {
  readonly opcode: string;
  /** The cursor that the step is about. */
  readonly p1: number;
  /** For OpenRead, the first page of the table. */
  readonly p2: number;
}

/**
 * Names of the tables that a query reads from end to end. EXPLAIN QUERY PLAN has no better word than SCAN for it, which
 * it also uses for the rows of a subquery.
 */
export function tablesReadWhole(database: Database, { sql, parameters }: Query): readonly string[] {
  const steps = database.prepare<unknown[], Step>(`EXPLAIN ${sql}`).all(parameters.map(() => null));
  const tables = new Map(steps.filter(({ opcode }) => opcode === "OpenRead").map(({ p1, p2 }) => [p1, p2]));
  const rewound = steps.filter(({ opcode, p1 }) => opcode === "Rewind" && tables.has(p1));
  const nameOf = database
    .prepare<[number], string>("SELECT tbl_name FROM sqlite_schema WHERE rootpage = ?")
    .pluck(true);
  return [...new Set(rewound.map(({ p1 }) => nameOf.get(tables.get(p1) ?? 0) ?? "sqlite_schema"))];
}
