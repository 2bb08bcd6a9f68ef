/**
 * The protocol of the control socket: lines of JSON in UTF-8, each request followed by its reply. Each process has a socket
 * of its own, so that every one of several processes can be reached.
 */
import { existsSync, readdirSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import type { Status } from "../metrics/report.ts";

/** purge without addresses clears the whole cache. */
export type ControlRequest =
  | { readonly command: "status" }
  | { readonly command: "purge"; readonly addresses: readonly string[] };

export type ControlReply =
  | { readonly status: Status }
  /** false: there is no cache. */
  | { readonly purged: boolean }
  | { readonly error: string };

/** Octets of the longest request. */
export const REQUEST_MAX = 64 * 1024;

/** Path of the socket of a process. @param prefix smmap_control_socket */
export function controlPath(prefix: string, pid: number): string {
  return `${prefix}.${pid}`;
}

/** Paths of all existing sockets, those of dead processes included. */
export function findControlPaths(prefix: string): readonly string[] {
  const folder = dirname(prefix);
  const start = `${basename(prefix)}.`;
  const isSocket = (name: string) => name.startsWith(start) && /^\d+$/.test(name.slice(start.length));
  return namesIn(folder)
    .filter(isSocket)
    .sort((a, b) => Number(a.slice(start.length)) - Number(b.slice(start.length)))
    .map((name) => join(folder, name));
}

/**
 * Advice where the folder of the sockets is missing; null: it exists.
 * @param owner name or number of the user that the daemon runs as
 */
export function folderAdvice(prefix: string, owner: string): string | null {
  const folder = dirname(prefix);
  if (existsSync(folder)) return null;
  return (
    `smmap_control_socket: there is no folder ${folder}; ` +
    `create it (install -d -o ${owner} -m 755 ${folder}) and restart smmapd`
  );
}

function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}

/** @throws Error whose message is sent back to the client */
export function parseControlRequest(line: string): ControlRequest {
  const { command, addresses = [] } = parseObject(line);
  if (command === "status") return { command };
  if (command !== "purge") throw new Error('the command is neither "status" nor "purge"');
  if (!Array.isArray(addresses) || !addresses.every((address) => typeof address === "string")) {
    throw new Error("the addresses are not a list of strings");
  }
  return { command, addresses };
}

function parseObject(line: string): { readonly command?: unknown; readonly addresses?: unknown } {
  try {
    return Object(JSON.parse(line));
  } catch {
    throw new Error("the request is not JSON");
  }
}
