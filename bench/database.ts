/** The SQLite file that the daemon is measured on: made when it is first wanted, then kept. */
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readFile, rename, rm } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import Database from "better-sqlite3";
import { FOLDER, userAt } from "./population.ts";

// From dist/bench, where this file runs, to bench and adapters.
const folder = fileURLToPath(new URL("../../bench/data/", import.meta.url));
const schemaFile = new URL("../../adapters/sqlite/schema.sql", import.meta.url);

/** Path of a database by our own schema, with so many users and their folders. */
export async function mailboxDatabase(users: number): Promise<string> {
  const schema = await readFile(schemaFile, "utf8");
  // Another schema, or other contents, need another file.
  const contents = createHash("sha256").update(`${schema}${userAt}${fill}`).digest("hex").slice(0, 12);
  const path = `${folder}${users}-${contents}.db`;
  if (existsSync(path)) return path;
  await mkdir(folder, { recursive: true });
  const unfinished = `${path}.unfinished`;
  await rm(unfinished, { force: true });
  const database = new Database(unfinished);
  try {
    database.exec(schema);
    database.pragma("synchronous = off");
    database.transaction(() => fill(database, users))();
    // Some sites do: statistics must not make look-ups slower.
    database.exec("ANALYZE");
    // As a site would have it that writes while it is read.
    database.pragma("journal_mode = wal");
  } finally {
    database.close();
  }
  await rename(unfinished, path);
  return path;
}

function fill(database: Database.Database, users: number): void {
  const mailbox = database.prepare(
    "INSERT INTO mailboxes (user, folder, storage_limit, storage_used) VALUES (?, ?, ?, ?)",
  );
  for (let index = 0; index < users; index++) {
    const { name, hasFolder, isOverQuota } = userAt(index);
    mailbox.run(name, "", 2 ** 30, isOverQuota ? 2 ** 30 + 1 : 2 ** 20);
    if (hasFolder) mailbox.run(name, FOLDER, null, 0);
  }
}
