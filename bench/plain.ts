/**
 * A plain server with the same look-up: the row of our own schema for each request, and nothing else that a mail server's
 * users would miss: no rules, no rights, no limits but one, no bounds, no other writer, no fault.
 */
import SqliteDatabase from "better-sqlite3";
import { serve } from "./node-server.ts";

const [path = "", file = ""] = process.argv.slice(2);
const database = new SqliteDatabase(file, { readonly: true });
database.pragma("cache_size = -65536");
const row = database
  .prepare<[string, string], [limit: number | null, used: number]>(
    "SELECT storage_limit, storage_used FROM mailboxes WHERE user = +? AND domain = '' AND folder = +? AND takes_mail",
  )
  .raw(true);

serve(path, (bytes, start, end) => {
  const key = bytes.toString("latin1", bytes.indexOf(32, start) + 1, end);
  const localpart = key.slice(0, key.lastIndexOf("@"));
  const plus = localpart.indexOf("+");
  const user = plus < 0 ? localpart : localpart.slice(0, plus);
  const found = row.get(user, plus < 0 ? "" : localpart.slice(plus + 1));
  if (found === undefined) return "NOTFOUND Mailbox does not exist";
  const [limit, used] = found;
  return limit !== null && used > limit ? "TEMP Over quota" : `OK ${key}`;
});
