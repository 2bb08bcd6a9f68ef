import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { restartWarnings } from "../../../src/daemon/restart-required.ts";
import { type Configuration, readConfiguration } from "../../../src/daemon/service.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "smmapd-restart-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

async function read(lines: string): Promise<Configuration> {
  const configFile = join(folder, "imapd.conf");
  writeFileSync(
    configFile,
    `configdirectory: ${folder}\nsmmap_store: sqlite\nsql_database: a.db\ncyrus_user: fred\n${lines}\n`,
  );
  return readConfiguration({ configFile, env: {} });
}

/** Keys with a warning when these lines are added to the file. */
async function warned(lines: string, isStartedByRoot = true): Promise<readonly string[]> {
  const warnings = restartWarnings(await read(""), await read(lines), isStartedByRoot);
  return warnings.map((warning) => warning.split(" has changed: restart smmapd to apply it")[0] ?? "");
}

describe("a restart", () => {
  it.each([
    ["smmap_listen", "127.0.0.1:1234"],
    ["smmap_policy_listen", "127.0.0.1:1234"],
    ["smmap_metrics_listen", "127.0.0.1:1234"],
    ["smmap_control_socket", "disabled"],
    ["smmap_socket_mode", "0600"],
    ["smmap_socket_owner", "wilma"],
    ["smmap_socket_group", "mail"],
  ])("is required by a change of %s", async (key, value) => {
    expect(await warned(`${key}: ${value}`)).toEqual([key]);
  });

  it.each(["smmap_user: wilma", "cyrus_group: mail"])(
    "is required by %j if root has started the process",
    async (line) => {
      expect(restartWarnings(await read(""), await read(line), true)).toEqual([
        "smmap_user, cyrus_user or cyrus_group has changed: restart smmapd to apply it; the process still runs as fred",
      ]);
      expect(await warned(line, false)).toEqual([]);
    },
  );

  it("is required by no other change", async () => {
    expect(await warned("smmap_query_timeout: 2s\nsmmap_user: fred")).toEqual([]);
  });
});
