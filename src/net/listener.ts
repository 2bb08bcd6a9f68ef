/** Creates listening sockets: binds addresses or takes over inherited descriptors. No other file does. */
import { chmodSync, chownSync, existsSync, lstatSync, rmSync } from "node:fs";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { dirname } from "node:path";
import type { ListenAddress } from "../config/settings.ts";
import { ConfigError } from "../store/store.ts";
import { acceptWithSharedBuffer } from "./accept.ts";
import { descriptorOf } from "./node-internals.ts";
import { withPathLock } from "./path-lock.ts";

/** A listening socket that another process has bound and keeps open. */
export interface InheritedSocket {
  readonly fd: number;
  /** For log messages. */
  readonly name: string;
}

/** A listening socket and its protocol. */
export interface ServedSocket extends InheritedSocket {
  readonly protocol: Protocol;
}

/** An address to bind, or a socket that is bound already. */
export type ListenSource = ListenAddress | InheritedSocket;

/** The protocol of a listening socket: socketmap, or Postfix' policy delegation. */
export type Protocol = "socketmap" | "policy";

/** Owner and mode of the file of a UNIX socket. */
export interface SocketRights {
  readonly mode: number;
  /** User and group id; null: those of the process. */
  readonly uid: number | null;
  readonly gid: number | null;
}

export interface ListenOptions {
  /** The option that names the address, for messages. */
  readonly key: string;
  readonly rights: SocketRights;
  /** Accepting a client failed; the server goes on listening. */
  readonly onAcceptError?: (error: Error) => void;
  /** Whether sockets share one read buffer, so that a chunk is valid only until its listeners return; false by default. */
  readonly isBufferShared?: boolean;
}

export interface Listener {
  /** PATH or HOST:PORT, with the port that the system chose for 0. */
  readonly name: string;
  /** Descriptor, for a process that listens on the same socket. */
  readonly fd: number;
  /** Stops listening and hands over the clients accepted so far; removes the file of a UNIX socket that was bound here. */
  close(): void;
}

/** Connections that the kernel queues before they are accepted: the default of net.core.somaxconn. */
const BACKLOG = 4096;

/** Listens for clients. @throws ConfigError where the address cannot be bound */
export async function listen(
  source: ListenSource,
  { onConnection, ...options }: ListenOptions & { readonly onConnection: (socket: Socket) => void },
): Promise<Listener> {
  // Exim closes its side after the request and reads on; see "half-close" in docs/differences.md.
  const server = createServer({ allowHalfOpen: true, noDelay: true }, onConnection);
  const listener = await listenWith(server, source, options);
  if (!options.isBufferShared) return listener;
  const batch = acceptWithSharedBuffer(server, onConnection);
  const close = () => {
    listener.close();
    batch.flush();
  };
  return { ...listener, close };
}

/** Makes an existing server listen, such as one of node:http. @throws ConfigError where the address cannot be bound */
export async function listenWith(server: Server, source: ListenSource, options: ListenOptions): Promise<Listener> {
  const bound = () => bind(server, source, options.key);
  if ("path" in source) await withPathLock(source.path, () => removeIfStale(source.path).then(bound));
  else await bound();
  // An "error" event without a listener would end the process.
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

/** Node.js reports EACCES for a missing folder as well. */
function explainFolder(folder: string): string {
  return existsSync(folder) ? `no right to write in ${folder}` : `there is no folder ${folder}; create it`;
}

function setRights(path: string, { mode, uid, gid }: SocketRights): void {
  try {
    // chown clears bits of the mode, so the mode is set last.
    if (uid !== null || gid !== null) chownSync(path, uid ?? -1, gid ?? -1);
    chmodSync(path, mode);
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    const keys = uid === null ? "smmap_socket_group" : "smmap_socket_owner, smmap_socket_group";
    const problem = code === "EPERM" ? "only root, or for a group its members, may do that" : message;
    throw new ConfigError(`${keys}: cannot set owner or mode of ${path}: ${problem}`, { cause });
  }
}

/** Removes the file of a UNIX socket on which no process listens. In use, it stays, and binding reports EADDRINUSE. */
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

function nameOf(server: Server, source: ListenSource): string {
  const bound = server.address() as AddressInfo | string | null;
  // Node.js does not know the path of an inherited UNIX socket.
  if (bound === null) return "fd" in source ? source.name : "";
  if (typeof bound === "string") return bound;
  return bound.family === "IPv6" ? `[${bound.address}]:${bound.port}` : `${bound.address}:${bound.port}`;
}
