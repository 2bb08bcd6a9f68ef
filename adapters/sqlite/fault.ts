/** Classifies errors of SQLite and of the system, with advice for the administrator. */
import { StoreError, type StoreErrorCode } from "../../src/store/store.ts";
import { UnusableFile } from "./file-state.ts";
import { RefusedStatement } from "./read-only.ts";

/**
 * Kind of the error and advice, by the beginning of SQLite's result code (https://www.sqlite.org/rescode.html) or of the
 * system's.
 */
const faults: readonly (readonly [code: string, kind: StoreErrorCode, advice: string])[] = [
  [
    "SQLITE_CANTOPEN",
    "denied",
    "let the user that smmapd runs as read the file, and in WAL mode to write to its directory",
  ],
  [
    "SQLITE_READONLY",
    "unavailable",
    "a program has died while it wrote to it, or smmapd may not write to its directory in WAL mode: " +
      "open the database once with the sqlite3 tool, as its owner, and run a query",
  ],
  ["SQLITE_NOTADB", "unavailable", "this is no SQLite database: put the database back from a backup"],
  [
    "SQLITE_CORRUPT",
    "unavailable",
    "it is damaged, or not completely written: check it with PRAGMA integrity_check, or restore it from a backup",
  ],
  ["EACCES", "denied", "let the user that smmapd runs as search the directory and read the file"],
  ["SQLITE_IOERR", "unavailable", "check the disk"],
  ["SQLITE_SCHEMA", "unavailable", "its tables are being changed"],
];

/** True if another program has locked the file. */
export function isLock(error: unknown): boolean {
  const code = codeOf(error);
  return code.startsWith("SQLITE_BUSY") || code.startsWith("SQLITE_LOCKED") || code.startsWith("SQLITE_PROTOCOL");
}

/** True if the error concerns the whole file, not one look-up. */
export function isFileFault(error: unknown): boolean {
  const code = codeOf(error);
  return !code.startsWith("SQLITE_") || faults.some(([prefix]) => code.startsWith(prefix));
}

/**
 * The error of a look-up. Its message is for the log.
 * @param remedy advice for a database that has other tables than expected
 */
export function describeFault(path: string, error: unknown, remedy: string): StoreError {
  const fault = (kind: StoreErrorCode, message: string) => new StoreError(kind, `sqlite: ${message}`, { cause: error });
  const code = codeOf(error);
  if (!(error instanceof Error)) return fault("internal", `${path}: ${String(error)}`);
  if (error instanceof UnusableFile) return fault("unavailable", error.message);
  if (error instanceof RefusedStatement) return fault("invalid-data", `${path}: ${error.message}`);
  const [, kind, advice] = faults.find(([prefix]) => code.startsWith(prefix)) ?? [];
  if (kind !== undefined) return fault(kind, `${path}: ${error.message} (${code}); ${advice}`);
  if (code === "SQLITE_ERROR") return fault("invalid-data", `${path}: ${error.message}; ${remedy}`);
  return fault(code === "" ? "internal" : "unavailable", `${path}: ${error.message}`);
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "";
}
