/**
 * A lock between processes for the path of a UNIX socket. While a process has bound a socket and does not listen yet, its
 * file cannot be distinguished from a stale one. The lock is a folder beside the path.
 */
import { lstatSync, mkdirSync, rmdirSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";

/** Milliseconds after which a lock counts as abandoned. */
const LOCK_AGE = 5_000;
/** Milliseconds between two attempts. */
const LOCK_INTERVAL = 20;

/** Runs `work` with the lock of the path held; without it where the lock cannot be created. */
export async function withPathLock<T>(path: string, work: () => Promise<T>): Promise<T> {
  const lock = `${path}.lock`;
  const isLocked = await acquire(lock);
  try {
    return await work();
  } finally {
    if (isLocked) release(lock);
  }
}

/** @returns false: the lock cannot be created */
async function acquire(lock: string): Promise<boolean> {
  let holder = "";
  let since = 0;
  for (;;) {
    try {
      mkdirSync(lock);
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") return false;
    }
    const { ino = 0, mtimeMs = 0 } = lstatSync(lock, { throwIfNoEntry: false }) ?? {};
    const now = performance.now();
    if (holder !== `${ino} ${mtimeMs}`) {
      holder = `${ino} ${mtimeMs}`;
      since = now;
    }
    if (now - since < LOCK_AGE) await delay(LOCK_INTERVAL);
    else if (!release(lock)) return false;
  }
}

/** @returns false: it is not a folder, or may not be removed */
function release(lock: string): boolean {
  try {
    rmdirSync(lock);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ENOENT";
  }
}
