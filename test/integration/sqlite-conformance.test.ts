/** The suite of all stores against database files: our own schema, and a site's own; whole, gone, locked, and broken. */
import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, it } from "vitest";
import {
  createInternalNamePopulation,
  createNativePopulation,
  internalNameOptions,
  openSqliteStore,
} from "../../fixtures/sqlite-database.ts";
import { SqliteProcess } from "../../fixtures/sqlite-process.ts";
import { conformanceMailboxes, conformanceRoots, storeConformance } from "../../src/conformance/index.ts";

const directory = mkdtempSync(join(tmpdir(), "sqlite-conformance-"));
afterAll(() => rmSync(directory, { recursive: true }));

const population = {
  mailboxes: conformanceMailboxes.map(({ name, anyone }) => ({ name, rights: anyone })),
  roots: conformanceRoots,
};

function conform(name: string, create: typeof createNativePopulation, options: Readonly<Record<string, string>>): void {
  const path = join(directory, `${name}.db`);
  const away = `${path}.away`;
  create(path, population);
  let undo = async () => {};
  storeConformance(
    { describe, it },
    {
      name: `sqlite (${name})`,
      open: () => openSqliteStore(path, options),
      timeout: 500,
      backend: {
        stop: async () => {
          renameSync(path, away);
          undo = async () => renameSync(away, path);
        },
        hang: async () => {
          const other = new SqliteProcess(path);
          await other.exec("BEGIN EXCLUSIVE");
          undo = () => other.close();
        },
        start: () => undo(),
        garbage: () => {
          const broken = join(directory, `${name}-garbage.db`);
          writeFileSync(broken, "no database at all, but as long as one might be ".repeat(200));
          return openSqliteStore(broken, options);
        },
      },
    },
  );
}

conform("native", createNativePopulation, {});
conform("site", createInternalNamePopulation, internalNameOptions);
