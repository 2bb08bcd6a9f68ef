/** What an error says about the database, and what the administrator can do about it. */
import { StoreError, type StoreErrorCode } from "../../src/store/store.ts";
import { UnusableFile } from "./file-state.ts";
import { RefusedStatement } from "./read-only.ts";

/**
 * By the beginning of SQLite's result code (https://www.sqlite.org/rescode.html) or of the system's: the kind of error,
 * and what to do.
 */
const faults: readonly (readonly [code: string, kind: StoreErrorCode, advice: string])[] = [
  [
    "SQLITE_CANTOPEN",
    "denied",
    "let the user that smmapd runs as read the file, and for a database in WAL mode write to its directory",
  ],
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
  ["EACCES", "denied", "let the user that smmapd runs as search the directory and read the file"],
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
  const code = codeOf(error);
  return !code.startsWith("SQLITE_") || faults.some(([prefix]) => code.startsWith(prefix));
}

/**
 * The error that a look-up fails with; its message is for the log.
 * @param remedy what to do where the database has other tables than expected
 */
export function describeFault(path: string, error: unknown, remedy: string): StoreError {
  const told = (kind: StoreErrorCode, message: string) => new StoreError(kind, `sqlite: ${message}`, { cause: error });
  const code = codeOf(error);
  if (!(error instanceof Error)) return told("internal", `${path}: ${String(error)}`);
  if (error instanceof UnusableFile) return told("unavailable", error.message);
  if (error instanceof RefusedStatement) return told("invalid-data", `${path}: ${error.message}`);
  const [, kind, advice] = faults.find(([prefix]) => code.startsWith(prefix)) ?? [];
  if (kind !== undefined) return told(kind, `${path}: ${error.message} (${code}); ${advice}`);
  if (code === "SQLITE_ERROR") return told("invalid-data", `${path}: ${error.message}; ${remedy}`);
  return told(code === "" ? "internal" : "unavailable", `${path}: ${error.message}`);
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "";
}
