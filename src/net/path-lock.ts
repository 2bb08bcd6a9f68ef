/**
 * A lock between processes for the path of a unix socket: a socket that another process has bound and does not listen on
 * yet cannot be told from a stale one. The lock is a folder beside the path.
 */
import { lstatSync, mkdirSync, rmdirSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";

/** Milliseconds after which the holder of a lock is taken for dead. */
const LOCK_AGE = 5_000;
const LOCK_INTERVAL = 20;

/** Runs `work` while no other process of ours holds the lock of the same path. Goes on without a lock that cannot be made. */
export async function withPathLock<T>(path: string, work: () => Promise<T>): Promise<T> {
  const lock = `${path}.lock`;
  const isLocked = await acquire(lock);
  try {
    return await work();
  } finally {
    if (isLocked) release(lock);
  }
}

/** @returns false: a lock cannot be made there */
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

/** @returns false: it is no folder, or may not be removed */
function release(lock: string): boolean {
  try {
    rmdirSync(lock);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ENOENT";
  }
}
