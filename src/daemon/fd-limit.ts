/**
 * The limit of open files (RLIMIT_NOFILE). Beyond it the event loop silently closes new connections, and the store cannot
 * reach its backend, so the limits of connections are kept below it. Node.js has raised the soft limit to the hard one.
 */
import { readFileSync } from "node:fs";
import type { Limits } from "../config/limits.ts";
import type { Log } from "../store/store.ts";

/**
 * Descriptors for other uses than connections: libraries, log, listening sockets, the store, clients that receive an
 * overload reply, and each listening socket's accept batch.
 */
const RESERVE = 384;

/** How many files this process may have open; Infinity where the system does not report it. */
export function openFilesMax(): number {
  try {
    const text = readFileSync("/proc/self/limits", "latin1");
    return Number(/^Max open files +(\d+)/m.exec(text)?.[1] ?? Number.POSITIVE_INFINITY);
  } catch (error) {
    // Only Linux has the file.
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return Number.POSITIVE_INFINITY;
    throw error;
  }
}

/** The limits, with fewer connections where there are not enough descriptors. @param files from openFilesMax */
export function fitOpenFiles(limits: Limits, files: number, log: Log): Limits {
  const { connectionsMax, connectionsWaiting } = limits;
  const room = files - Math.min(RESERVE, Math.floor(files / 2));
  if (connectionsMax + connectionsWaiting <= room) return limits;
  // Seven eighths are for connections being served.
  const waiting = Math.min(connectionsWaiting, Math.floor(room / 8));
  const served = Math.min(connectionsMax, room - waiting);
  log.warning(
    `smmap_connections_max: the limit of ${files} open files leaves room for ${served} connections and ${waiting} waiting ones; raise it (ulimit -n, or LimitNOFILE= of systemd)`,
  );
  return { ...limits, connectionsMax: served, connectionsWaiting: waiting };
}
