import SqliteDatabase, { type Database, type Statement } from "better-sqlite3";

/** SQLite rejects a statement of the configuration, or the statement does more than read. */
export class RefusedStatement extends Error {
  override readonly name = "RefusedStatement";

  /** @param text the query as it is configured */
  constructor(problem: string, text: string, options?: ErrorOptions) {
    super(`${problem}; the query is: ${text}`, options);
  }
}

/**
 * Prepares exactly one statement that reads and returns rows. A read-only handle refuses to write to the database, but
 * not to create temporary tables, to attach other files, or to set pragmas.
 * @param text the query as it is configured, for errors
 * @throws RefusedStatement
 */
export function prepareReading<Row>(database: Database, sql: string, text: string): Statement<unknown[], Row> {
  let statement: Statement<unknown[], Row>;
  try {
    statement = database.prepare<unknown[], Row>(sql);
  } catch (error) {
    // Errors of the file have other codes than errors of the text.
    if (error instanceof Error && isAboutText(error)) throw new RefusedStatement(error.message, text, { cause: error });
    throw error;
  }
  if (!statement.reader || !statement.readonly) {
    throw new RefusedStatement("the statement does more than read", text);
  }
  return statement;
}

/** The error of SQLite's parser, which does not depend on tables; null: the syntax is correct. */
export function syntaxErrorOf(sql: string): string | null {
  const database = new SqliteDatabase(":memory:");
  try {
    database.prepare(sql);
    return null;
  } catch (error) {
    const problem = error instanceof Error ? error.message : String(error);
    return /syntax error|incomplete input|unrecognized token/.test(problem) ? problem : null;
  } finally {
    database.close();
  }
}

function isAboutText(error: Error & { code?: string }): boolean {
  return error.code === "SQLITE_ERROR" || error.code === undefined;
}
