/** docs/store-imap.md: its configurations load, and it names every option of the store. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { adapter } from "../../../adapters/imap/index.ts";
import { imapKeys } from "../../../adapters/imap/keys.ts";
import { loadConfig } from "../../../src/config/config.ts";

const page = readFileSync(new URL("../../../docs/store-imap.md", import.meta.url), "utf8");
const blocks = [...page.matchAll(/^```\n(.*?)^```$/gms)].map(([, text = ""]) => text);
const configurations = blocks.filter((text) => text.startsWith("configdirectory"));

it("shows configurations that load without a warning", () => {
  expect(configurations.length).toBe(2);
  const directory = mkdtempSync(join(tmpdir(), "imap-documentation-"));
  try {
    for (const text of configurations) {
      const file = join(directory, "imapd.conf");
      writeFileSync(file, text, { mode: 0o600 });
      const config = loadConfig({ file, env: {} });
      expect(adapter.parse(config)).toBeTruthy();
      expect(config.warnings()).toEqual([]);
    }
  } finally {
    rmSync(directory, { recursive: true });
  }
});

it("names every option", () => {
  const explained = new Set([...page.matchAll(/\*\*([a-z_]+)\*\*/g)].map(([, name]) => name));
  // The two of Cyrus stand behind those of ours.
  const missing = imapKeys.map(({ name }) => name).filter((name) => !explained.has(name) && !name.startsWith("proxy_"));
  expect(missing).toEqual([]);
  expect(page).toContain("proxy_authname");
  expect(page).toContain("proxy_password");
});
