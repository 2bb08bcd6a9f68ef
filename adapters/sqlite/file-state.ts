import { statSync } from "node:fs";

/** The file at a path cannot be the database, by its looks alone. */
export class UnusableFile extends Error {
  override readonly name = "UnusableFile";
}

/** Milliseconds that a file's time of change may lag behind: the kernel's clock for it ticks every 1 to 10 ms. */
const CLOCK_RESOLUTION = 50;

/** What tells one state of a file from another one. */
export interface FileState {
  readonly device: number;
  readonly inode: number;
  readonly size: number;
  /** Milliseconds since 1970 (ctime: nobody can set it back). */
  readonly changedAt: number;
  /** false: the file changed so lately that another change may bear the same time. */
  readonly isSettled: boolean;
}

/** @throws UnusableFile where there is no file, or an empty one, and what the system says where it does not let us look */
export function stateOf(path: string): FileState {
  const stats = statSync(path, { throwIfNoEntry: false });
  if (stats === undefined) {
    throw new UnusableFile(`there is no file ${path}; create the database, or correct sql_database`);
  }
  if (!stats.isFile()) throw new UnusableFile(`${path} is no file; correct sql_database`);
  if (stats.size === 0) {
    throw new UnusableFile(`${path} is empty; create the database again, or put it back from a backup`);
  }
  return {
    device: stats.dev,
    inode: stats.ino,
    size: stats.size,
    changedAt: stats.ctimeMs,
    isSettled: Date.now() - stats.ctimeMs > CLOCK_RESOLUTION,
  };
}

export function isSameFile(one: FileState, other: FileState): boolean {
  return one.inode === other.inode && one.device === other.device;
}

/** Whether nothing has been written in between. */
export function isSameState(one: FileState, other: FileState): boolean {
  return one.changedAt === other.changedAt && one.size === other.size && isSameFile(one, other);
}

/** SQLite's write-ahead log beside a database in WAL mode (https://www.sqlite.org/wal.html). */
export interface WriteAheadLog {
  readonly inode: number;
  readonly size: number;
}

/** null: there is none. */
export function walBeside(path: string): WriteAheadLog | null {
  const stats = statSync(`${path}-wal`, { throwIfNoEntry: false });
  return stats === undefined ? null : { inode: stats.ino, size: stats.size };
}
