/**
 * Loads the native part of better-sqlite3, which the package itself does with the first database. One that is missing or
 * was built for another Node.js so fails the import of the adapter, before the daemon starts, and not a look-up.
 */
import SqliteDatabase from "better-sqlite3";

new SqliteDatabase(":memory:").close();
