import { statSync } from "node:fs";

/** The file at the path cannot be used as the database. */
export class UnusableFile extends Error {
  override readonly name = "UnusableFile";
}

/** Milliseconds by which a file's time of change may be late: the kernel's clock for it ticks every 1 to 10 ms. */
const CLOCK_RESOLUTION = 50;

/** Properties that differ between two states of a file. */
export interface FileState {
  readonly device: number;
  readonly inode: number;
  readonly size: number;
  /** Milliseconds since 1970 (ctime, which no program can set). */
  readonly changedAt: number;
  /** False if the file has changed so recently that another change may have the same time. */
  readonly isSettled: boolean;
}

/** @throws UnusableFile if there is no file or it is empty; the system's error if the path cannot be searched */
export function stateOf(path: string): FileState {
  const stats = statSync(path, { throwIfNoEntry: false });
  if (stats === undefined) {
    throw new UnusableFile(`there is no file ${path}; create the database, or correct sql_database`);
  }
  if (!stats.isFile()) throw new UnusableFile(`${path} is no file; correct sql_database`);
  if (stats.size === 0) {
    throw new UnusableFile(`${path} is empty; create the database again, or restore it from a backup`);
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

/** True if the file was not written between the two. */
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
