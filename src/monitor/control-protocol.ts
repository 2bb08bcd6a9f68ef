/**
 * What is said on a control socket: lines of JSON in UTF-8, a request and its reply in turn. Each process has a socket
 * of its own, so that each can be asked, whoever started it and however many there are.
 */
import { existsSync, readdirSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import type { Status } from "../metrics/report.ts";

/** purge without addresses empties the whole cache. */
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

/** Path of the socket of a process. @param beginning smmap_control_socket */
export function controlPath(beginning: string, pid: number): string {
  return `${beginning}.${pid}`;
}

/** Paths of all sockets that there are, those of dead processes included. */
export function findControlPaths(beginning: string): readonly string[] {
  const folder = dirname(beginning);
  const start = `${basename(beginning)}.`;
  const isSocket = (name: string) => name.startsWith(start) && /^\d+$/.test(name.slice(start.length));
  return namesIn(folder)
    .filter(isSocket)
    .sort((a, b) => Number(a.slice(start.length)) - Number(b.slice(start.length)))
    .map((name) => join(folder, name));
}

/**
 * What to do where the folder of the sockets is missing; null: it is there.
 * @param owner name or number of the user that the daemon runs as
 */
export function folderAdvice(beginning: string, owner: string): string | null {
  const folder = dirname(beginning);
  if (existsSync(folder)) return null;
  return (
    `smmap_control_socket: there is no folder ${folder}; ` +
    `make it (install -d -o ${owner} -m 755 ${folder}) and restart smmapd`
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

/** Throws an Error whose message is for whoever sent the line. */
export function parseControlRequest(line: string): ControlRequest {
  const { command, addresses = [] } = parseObject(line);
  if (command === "status") return { command };
  if (command !== "purge") throw new Error('the command is neither "status" nor "purge"');
  if (!Array.isArray(addresses) || !addresses.every((address) => typeof address === "string")) {
    throw new Error("the addresses are no list of texts");
  }
  return { command, addresses };
}

function parseObject(line: string): { readonly command?: unknown; readonly addresses?: unknown } {
  try {
    return Object(JSON.parse(line));
  } catch {
    throw new Error("the request is no JSON");
  }
}
