/** The SQLite store, in its own schema and by a site's own queries. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { rename } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import SqliteDatabase, { type Database } from "better-sqlite3";
import { afterAll, describe, it } from "vitest";
import { adapter } from "../../adapters/sqlite/index.ts";
import { type Population, villagePopulation } from "../../fixtures/memory-store.ts";
import {
  createInternalNamePopulation,
  createNativePopulation,
  internalNameOptions,
} from "../../fixtures/sqlite-database.ts";
import { silentLog, storeConformance } from "../../fixtures/store-conformance.ts";
import { loadConfig } from "../../src/config/config.ts";
import type { MailboxStore } from "../../src/store/store.ts";

function conform(
  name: string,
  create: (path: string, population: Population) => void,
  options: Readonly<Record<string, string>>,
): void {
  const directory = mkdtempSync(join(tmpdir(), "smmapd-sqlite-"));
  const path = join(directory, "mailboxes.db");
  const junk = join(directory, "junk.db");
  let writer: Database | null = null;
  let isAway = false;

  create(path, villagePopulation);
  writeFileSync(junk, "This is no database. ".repeat(1000));
  afterAll(() => rmSync(directory, { recursive: true }));

  function open(database: string): MailboxStore {
    const file = join(directory, "imapd.conf");
    const keys = { configdirectory: directory, sql_engine: "sqlite", sql_database: database, ...options };
    const lines = Object.entries(keys).map(([key, value]) => `${key}: ${value.replace(/\s+/g, " ")}\n`);
    writeFileSync(file, lines.join(""));
    return adapter.open(adapter.parse(loadConfig({ file, env: {} })), { log: silentLog });
  }

  storeConformance(
    { describe, it },
    {
      name,
      open: () => open(path),
      backend: {
        async stop() {
          await rename(path, `${path}.away`);
          isAway = true;
        },
        /** Another program that holds the file, and does not let go of it. */
        async hang() {
          // The store's look-ups of one turn share a read transaction, which ends with the turn.
          await nextTurn();
          writer = new SqliteDatabase(path);
          writer.exec("BEGIN EXCLUSIVE");
        },
        async start() {
          writer?.close();
          writer = null;
          if (isAway) await rename(`${path}.away`, path);
          isAway = false;
        },
        garbage: () => open(junk),
      },
    },
  );
}

conform("sqlite in its own schema", createNativePopulation, {});
conform("sqlite by a site's queries", createInternalNamePopulation, internalNameOptions);
