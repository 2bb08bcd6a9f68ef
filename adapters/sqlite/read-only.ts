import SqliteDatabase, { type Database, type Statement } from "better-sqlite3";

/** The database does not take a statement of the configuration, or the statement does more than read. */
export class RefusedStatement extends Error {
  override readonly name = "RefusedStatement";

  /** @param text as the administrator wrote it */
  constructor(problem: string, text: string, options?: ErrorOptions) {
    super(`${problem}; the query is: ${text}`, options);
  }
}

/**
 * Prepares exactly one statement that reads and gives rows. A read-only handle would refuse to write to the database,
 * but not to make temporary tables, to attach other files, or to set pragmas.
 * @param text what to name in errors
 * @throws RefusedStatement
 */
export function prepareReading<Row>(database: Database, sql: string, text: string): Statement<unknown[], Row> {
  let statement: Statement<unknown[], Row>;
  try {
    statement = database.prepare<unknown[], Row>(sql);
  } catch (error) {
    // What is wrong with the file, and not with the text, has a code of its own.
    if (error instanceof Error && isAboutText(error)) throw new RefusedStatement(error.message, text, { cause: error });
    throw error;
  }
  if (!statement.reader || !statement.readonly) {
    throw new RefusedStatement("the statement does more than read", text);
  }
  return statement;
}

/** What is wrong with a statement in the eyes of SQLite's parser, whatever tables there are; null: nothing. */
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
