/** Errors that a test cannot produce with a real file under every user. */
import { describe, expect, it } from "vitest";
import { describeFault, isFileFault, isLock } from "../../../adapters/sqlite/fault.ts";

function failure(code: string, message: string): Error {
  return Object.assign(new Error(message), { code });
}

describe("an error of SQLite or of the system", () => {
  it.each([
    ["SQLITE_CANTOPEN", "denied", /m\.db: broken \(SQLITE_CANTOPEN\); let the user that smmapd runs as read the file/],
    ["EACCES", "denied", /let the user that smmapd runs as search the directory/],
    ["SQLITE_READONLY_DIRECTORY", "unavailable", /open the database once with the sqlite3 tool/],
    ["SQLITE_IOERR_READ", "unavailable", /check the disk/],
    ["SQLITE_CORRUPT_VTAB", "unavailable", /PRAGMA integrity_check/],
    ["SQLITE_NOTADB", "unavailable", /put the database back/],
    ["EIO", "unavailable", /^sqlite: m\.db: broken$/],
  ] as const)("%s puts the file in doubt", (code, kind, message) => {
    const error = failure(code, "broken");
    expect(isFileFault(error)).toBe(true);
    const described = describeFault("m.db", error, "ask somebody");
    expect(described).toMatchObject({ code: kind, cause: error });
    expect(described.message).toMatch(message);
  });

  it.each([
    ["SQLITE_ERROR", "invalid-data", "sqlite: m.db: broken; ask somebody"],
    ["SQLITE_TOOBIG", "unavailable", "sqlite: m.db: broken"],
    ["SQLITE_NOMEM", "unavailable", "sqlite: m.db: broken"],
  ] as const)("%s is about one look-up", (code, kind, message) => {
    const error = failure(code, "broken");
    expect(isFileFault(error)).toBe(false);
    expect(describeFault("m.db", error, "ask somebody")).toMatchObject({ code: kind, message });
  });

  it("is recognized as a lock by each of its codes", () => {
    const locks = ["SQLITE_BUSY", "SQLITE_BUSY_RECOVERY", "SQLITE_LOCKED_SHAREDCACHE", "SQLITE_PROTOCOL"];
    expect(locks.filter((code) => !isLock(failure(code, "broken")))).toEqual([]);
    expect(isLock(failure("SQLITE_CORRUPT", "broken"))).toBe(false);
  });
});

it("an error without a code is an internal error", () => {
  expect(describeFault("m.db", new TypeError("x is not a function"), "")).toMatchObject({ code: "internal" });
  expect(describeFault("m.db", "thrown", "")).toMatchObject({ code: "internal", message: "sqlite: m.db: thrown" });
});
