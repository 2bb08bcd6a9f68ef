/**
 * The limit of open files (RLIMIT_NOFILE). Beyond it the event loop closes new connections without a word, and the store
 * cannot reach its backend, so we stay below it. Node.js has raised it as far as it may.
 */
import { readFileSync } from "node:fs";
import type { Limits } from "../config/limits.ts";
import type { Log } from "../store/store.ts";

/**
 * Files that are no connections: libraries, log, sockets, the store; clients that are told that there is no room, and those
 * whom each listening socket is about to welcome.
 */
const RESERVE = 384;

/** How many files this process may have open; where the system does not tell, any number. */
export function openFilesMax(): number {
  try {
    const text = readFileSync("/proc/self/limits", "latin1");
    return Number(/^Max open files +(\d+)/m.exec(text)?.[1] ?? Number.POSITIVE_INFINITY);
  } catch (error) {
    // Of Linux alone.
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return Number.POSITIVE_INFINITY;
    throw error;
  }
}

/** Fewer connections, where there are not enough files for them. @param files from openFilesMax */
export function fitOpenFiles(limits: Limits, files: number, log: Log): Limits {
  const { connectionsMax, connectionsWaiting } = limits;
  const room = files - Math.min(RESERVE, Math.floor(files / 2));
  if (connectionsMax + connectionsWaiting <= room) return limits;
  // Most of it for those who are served.
  const waiting = Math.min(connectionsWaiting, Math.floor(room / 8));
  const served = Math.min(connectionsMax, room - waiting);
  log.warning(
    `smmap_connections_max: the limit of ${files} open files leaves room for ${served} clients, and ${waiting} that wait; raise it (ulimit -n, or LimitNOFILE= of systemd)`,
  );
  return { ...limits, connectionsMax: served, connectionsWaiting: waiting };
}
