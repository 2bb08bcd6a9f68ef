/** Where the listening sockets come from. The only place that makes them. */
import { chmodSync, existsSync, lstatSync, unlinkSync } from "node:fs";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { dirname } from "node:path";
import type { ListenAddress } from "../config/settings.ts";
import { ConfigError } from "../store/store.ts";

export interface ListenOptions {
  /** Rights of a unix socket's file. */
  readonly socketMode: number;
  readonly onConnection: (socket: Socket) => void;
}

export interface Listener {
  /** As it is bound: PATH or HOST:PORT, with the port that the system chose. */
  readonly name: string;
  /** Accepts no more; a unix socket's file is removed. */
  close(): void;
}

/** Connections that the kernel may keep for us. */
const BACKLOG = 1024;

/** @throws ConfigError where the address cannot be had */
export async function listen(address: ListenAddress, options: ListenOptions): Promise<Listener> {
  if ("path" in address) await removeStaleSocket(address.path);
  // Exim closes its half after the request and reads on; see "half-close" in docs/differences.md.
  const server = createServer({ allowHalfOpen: true, noDelay: true }, options.onConnection);
  await bind(server, address);
  if ("path" in address) chmodSync(address.path, options.socketMode);
  return { name: nameOf(server), close: () => void server.close() };
}

function bind(server: Server, address: ListenAddress): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (cause: NodeJS.ErrnoException) => reject(explain(address, cause)));
    server.listen({ ...address, backlog: BACKLOG }, resolve);
  });
}

function explain(address: ListenAddress, cause: NodeJS.ErrnoException): ConfigError {
  const where = "path" in address ? address.path : `${address.host}:${address.port}`;
  const advice: Record<string, string> = {
    EADDRINUSE: "another program listens there",
    EACCES: "path" in address ? explainFolder(dirname(address.path)) : "no right to use this port",
    EADDRNOTAVAIL: "this machine does not have that address",
  };
  const problem = advice[cause.code ?? ""] ?? cause.message;
  return new ConfigError(`smmap_listen: cannot listen on ${where}: ${problem}`, { cause });
}

/** Node says EACCES of a folder that does not exist, too. */
function explainFolder(folder: string): string {
  return existsSync(folder) ? `no right to write in ${folder}` : `there is no folder ${folder}; create it`;
}

/** Removes a socket's file that a dead process left. A living one is left alone: binding then says that it is in use. */
async function removeStaleSocket(path: string): Promise<void> {
  if (!lstatSync(path, { throwIfNoEntry: false })?.isSocket()) return;
  const isDead = await new Promise<boolean>((resolve) => {
    const probe = connect(path, () => {
      probe.destroy();
      resolve(false);
    });
    probe.once("error", (error: NodeJS.ErrnoException) => resolve(error.code === "ECONNREFUSED"));
  });
  if (isDead) unlinkSync(path);
}

function nameOf(server: Server): string {
  const bound = server.address() as AddressInfo | string;
  if (typeof bound === "string") return bound;
  return bound.family === "IPv6" ? `[${bound.address}]:${bound.port}` : `${bound.address}:${bound.port}`;
}
