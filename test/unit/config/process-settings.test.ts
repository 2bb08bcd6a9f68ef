import { describe, expect, it } from "vitest";
import { readProcess } from "../../../src/config/process-settings.ts";
import { configErrorOf, configOf } from "./config-of.ts";

const read = (lines: string, env: Readonly<Record<string, string>> = {}) => readProcess(configOf(lines), env);

describe("settings of the process", () => {
  it("have defaults", () => {
    expect(read("")).toEqual({
      socketOwner: null,
      socketGroup: null,
      user: "cyrus",
      group: null,
      userOrigin: "cyrus_user",
      drainTimeout: 30_000,
      workers: 1,
      debugCommand: null,
    });
  });

  it.each<[lines: string, env: Readonly<Record<string, string>>, expected: object]>([
    ["cyrus_user: imap\ncyrus_group: post", {}, { user: "imap", group: "post", userOrigin: "cyrus_user" }],
    ["cyrus_user: imap", { CYRUS_USER: "mail" }, { user: "mail", group: null, userOrigin: "CYRUS_USER" }],
    ["cyrus_group: post", { CYRUS_GROUP: "mail" }, { user: "cyrus", group: "mail" }],
    ["smmap_user: asker", { CYRUS_USER: "mail", CYRUS_GROUP: "mail" }, { user: "asker", group: null }],
    ["smmap_socket_owner: a\nsmmap_socket_group: b", {}, { socketOwner: "a", socketGroup: "b" }],
    ["smmap_drain_timeout: 0", {}, { drainTimeout: 0 }],
    ["smmap_drain_timeout: 1h", {}, { drainTimeout: 3_600_000 }],
    ["smmap_workers: 4", {}, { workers: 4 }],
    ["debug_command: gdb %s %d", {}, { debugCommand: "gdb %s %d" }],
  ])("are read: %j with %j", (lines, env, expected) => {
    expect(read(lines, env)).toMatchObject(expected);
  });

  it("with auto use the number of processors", () => {
    expect(read("smmap_workers: auto").workers).toBeGreaterThanOrEqual(1);
  });

  it.each([
    ["smmap_drain_timeout: 2h", "must be from 0 to 1h"],
    ["smmap_drain_timeout: -1", "must be from 0 to 1h"],
    ["smmap_workers: 0", "must be auto, or a number from 1 to 64"],
    ["smmap_workers: 65", "must be auto"],
    ["smmap_workers: many", "must be auto"],
    ["smmap_workers: 1.5", "must be auto"],
  ])("are refused: %j", (lines, problem) => {
    expect(configErrorOf(() => read(lines))).toContain(problem);
  });
});
