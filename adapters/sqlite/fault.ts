/** What an error says about the database, and what the administrator can do about it. */
import { StoreError, type StoreErrorCode } from "../../src/store/store.ts";
import { UnusableFile } from "./file-state.ts";
import { RefusedStatement } from "./read-only.ts";

/** By the beginning of SQLite's result code (https://www.sqlite.org/rescode.html): what to do, and the kind of error. */
const faults: readonly (readonly [code: string, kind: StoreErrorCode, advice: string])[] = [
  [
    "SQLITE_CANTOPEN",
    "denied",
    "let the user that smmapd runs as read the file, and for a database in WAL mode write to its directory",
  ],
  ["SQLITE_PERM", "denied", "let the user that smmapd runs as read the file"],
  ["SQLITE_AUTH", "denied", "let the user that smmapd runs as read the file"],
  [
    "SQLITE_READONLY",
    "unavailable",
    "a program that wrote to it has died, or smmapd may not write to its directory in WAL mode: " +
      "open the database once with the sqlite3 tool, as its owner, and ask it something",
  ],
  ["SQLITE_NOTADB", "unavailable", "this is no SQLite database: put the database back"],
  [
    "SQLITE_CORRUPT",
    "unavailable",
    "it is damaged, or not yet written to its end: check it with PRAGMA integrity_check, or put it back from a backup",
  ],
  ["SQLITE_IOERR", "unavailable", "check the disk"],
  ["SQLITE_SCHEMA", "unavailable", "its tables are just being changed"],
];

/** Another program holds the file at the moment. */
export function isLock(error: unknown): boolean {
  const code = codeOf(error);
  return code.startsWith("SQLITE_BUSY") || code.startsWith("SQLITE_LOCKED") || code.startsWith("SQLITE_PROTOCOL");
}

/** The whole file is in doubt, not one look-up alone. */
export function isFileFault(error: unknown): boolean {
  if (error instanceof UnusableFile) return true;
  const code = codeOf(error);
  return !code.startsWith("SQLITE_") || faults.some(([prefix]) => code.startsWith(prefix));
}

/** The error that a look-up fails with; its message is for the log. */
export function describeFault(path: string, error: unknown): StoreError {
  const options = { cause: error };
  if (!(error instanceof Error)) return new StoreError("internal", `sqlite: ${path}: ${String(error)}`, options);
  if (error instanceof UnusableFile) return new StoreError("unavailable", `sqlite: ${error.message}`, options);
  if (error instanceof RefusedStatement) {
    return new StoreError("invalid-data", `sqlite: ${path}: ${error.message}`, options);
  }
  const code = codeOf(error);
  const [, kind, advice] = faults.find(([prefix]) => code.startsWith(prefix)) ?? [];
  if (kind !== undefined)
    return new StoreError(kind, `sqlite: ${path}: ${error.message} (${code}); ${advice}`, options);
  if (code === "EACCES" || code === "EPERM") {
    const message = `sqlite: ${error.message}; let the user that smmapd runs as search the directory and read the file`;
    return new StoreError("denied", message, options);
  }
  if (code === "SQLITE_ERROR") {
    const message = `sqlite: ${path}: ${error.message}; do the tables and the queries belong together?`;
    return new StoreError("invalid-data", message, options);
  }
  return new StoreError("unavailable", `sqlite: ${path}: ${error.message} (${code || error.name})`, options);
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "";
}
