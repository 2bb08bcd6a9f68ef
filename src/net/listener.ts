/** Where the listening sockets come from. The only place that makes them. */
import { chmodSync, chownSync, existsSync, lstatSync, rmSync } from "node:fs";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { dirname } from "node:path";
import type { ListenAddress } from "../config/settings.ts";
import { ConfigError } from "../store/store.ts";
import { acceptIntoOneBuffer } from "./accept.ts";
import { withPathLock } from "./path-lock.ts";

/** A listening socket that another process has bound, and keeps. */
export interface InheritedSocket {
  readonly fd: number;
  /** For the log. */
  readonly name: string;
}

/** A listening socket and the protocol that is spoken on it. */
export interface ServedSocket extends InheritedSocket {
  readonly protocol: Protocol;
}

/** Where to listen: an address to bind, or a socket that is bound already. */
export type ListenSource = ListenAddress | InheritedSocket;

/** What is spoken on a socket: socketmap, or Postfix' policy delegation. */
export type Protocol = "socketmap" | "policy";

/** Of a unix socket's file. */
export interface SocketRights {
  readonly mode: number;
  /** User and group id; null: as it comes. */
  readonly uid: number | null;
  readonly gid: number | null;
}

export interface ListenOptions {
  /** The option that says where, for messages. */
  readonly key: string;
  readonly rights: SocketRights;
  /** A client could not be accepted; the next one may be. */
  readonly onAcceptError?: (error: Error) => void;
  /** Chunks are overwritten once they are handled. Left out: they are not. */
  readonly isBufferShared?: boolean;
}

export interface Listener {
  /** As it is bound: PATH or HOST:PORT, with the port that the system chose. */
  readonly name: string;
  /** Of the system, for a process that is to listen on the same socket. */
  readonly fd: number;
  /** Accepts no more, after those who are accepted already; the file of a unix socket that we made is removed. */
  close(): void;
}

/** Connections that the kernel may keep for us: as many as it will by default (net.core.somaxconn). */
const BACKLOG = 4096;

/** @throws ConfigError where the address cannot be had */
export async function listen(
  source: ListenSource,
  { onConnection, ...options }: ListenOptions & { readonly onConnection: (socket: Socket) => void },
): Promise<Listener> {
  // Exim closes its half after the request and reads on; see "half-close" in docs/differences.md.
  const server = createServer({ allowHalfOpen: true, noDelay: true }, onConnection);
  const listener = await listenWith(server, source, options);
  if (!options.isBufferShared) return listener;
  const arrivals = acceptIntoOneBuffer(server, onConnection);
  const close = () => {
    listener.close();
    arrivals.welcome();
  };
  return { ...listener, close };
}

/** The same with a server that is made already, such as one of HTTP. */
export async function listenWith(server: Server, source: ListenSource, options: ListenOptions): Promise<Listener> {
  const bound = () => bind(server, source, options.key);
  if ("path" in source) await withPathLock(source.path, () => removeIfStale(source.path).then(bound));
  else await bound();
  // Without a listener an error would be the end of the process.
  server.on("error", options.onAcceptError ?? (() => {}));
  const listener = { name: nameOf(server, source), fd: descriptorOf(server), close: () => void server.close() };
  try {
    if ("path" in source) setRights(source.path, options.rights);
  } catch (error) {
    listener.close();
    throw error;
  }
  return listener;
}

function bind(server: Server, source: ListenSource, key: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (cause: NodeJS.ErrnoException) => reject(explain(source, cause, key)));
    const target = "fd" in source ? { fd: source.fd } : source;
    server.listen({ ...target, backlog: BACKLOG }, resolve);
  });
}

function explain(source: ListenSource, cause: NodeJS.ErrnoException, key: string): ConfigError {
  if ("fd" in source) {
    return new ConfigError(`${source.name} is no listening socket: ${cause.message}`, { cause });
  }
  const where = "path" in source ? source.path : `${source.host}:${source.port}`;
  const advice: Record<string, string> = {
    EADDRINUSE: "another program listens there",
    EACCES: "path" in source ? explainFolder(dirname(source.path)) : "no right to use this port",
    EADDRNOTAVAIL: "this machine does not have that address",
  };
  const problem = advice[cause.code ?? ""] ?? cause.message;
  return new ConfigError(`${key}: cannot listen on ${where}: ${problem}`, { cause });
}

/** Node says EACCES of a folder that does not exist, too. */
function explainFolder(folder: string): string {
  return existsSync(folder) ? `no right to write in ${folder}` : `there is no folder ${folder}; create it`;
}

function setRights(path: string, { mode, uid, gid }: SocketRights): void {
  try {
    // Before the mode, for it takes away bits of it.
    if (uid !== null || gid !== null) chownSync(path, uid ?? -1, gid ?? -1);
    chmodSync(path, mode);
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    const keys = uid === null ? "smmap_socket_group" : "smmap_socket_owner, smmap_socket_group";
    const problem = code === "EPERM" ? "only root, or for a group its members, can do that" : message;
    throw new ConfigError(`${keys}: cannot give ${path} away: ${problem}`, { cause });
  }
}

/** Removes a socket's file that a dead process left. A living one is left alone: binding then says that it is in use. */
export function removeStaleSocket(path: string): Promise<void> {
  return withPathLock(path, () => removeIfStale(path));
}

async function removeIfStale(path: string): Promise<void> {
  const isSocket = lstatSync(path, { throwIfNoEntry: false })?.isSocket() ?? false;
  if (isSocket && (await isRefused(path))) rmSync(path, { force: true });
}

function isRefused(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect(path, () => {
      probe.destroy();
      resolve(false);
    });
    probe.once("error", (error: NodeJS.ErrnoException) => resolve(error.code === "ECONNREFUSED"));
  });
}

/** Node.js keeps it to itself, but documents no other way to hand a listening socket to a program that is started. */
function descriptorOf(server: Server): number {
  return (server as unknown as { readonly _handle: { readonly fd: number } })._handle.fd;
}

function nameOf(server: Server, source: ListenSource): string {
  const bound = server.address() as AddressInfo | string | null;
  // Of an inherited unix socket Node.js does not know the path.
  if (bound === null) return "fd" in source ? source.name : "";
  if (typeof bound === "string") return bound;
  return bound.family === "IPv6" ? `[${bound.address}]:${bound.port}` : `${bound.address}:${bound.port}`;
}
