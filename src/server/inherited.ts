/** What whoever started us has left open: listening sockets (systemd), or a client (inetd, a pipe). */
import { fstatSync } from "node:fs";
import { Socket } from "node:net";
import { Duplex, type Readable, type Writable } from "node:stream";
import type { Io } from "../io.ts";
import type { Client } from "./connection.ts";

/** A listening socket that is not ours to make or to remove. */
export interface InheritedSocket {
  readonly fd: number;
  /** For the log. */
  readonly name: string;
}

/** First descriptor of sd_listen_fds(3). */
const LISTEN_FDS_START = 3;

/** The sockets of systemd's socket activation, by sd_listen_fds(3); none where they are meant for another process. */
export function activatedSockets(
  env: Readonly<Record<string, string | undefined>>,
  pid: number,
): readonly InheritedSocket[] {
  if (env.LISTEN_PID !== String(pid)) return [];
  const count = Number(env.LISTEN_FDS);
  const names = (env.LISTEN_FDNAMES ?? "").split(":");
  return Array.from({ length: count }, (_, i) => {
    const fd = LISTEN_FDS_START + i;
    return { fd, name: `${names[i] || "socket"} (descriptor ${fd})` };
  });
}

/** What the standard input is: a client's connection, the end of a pipe or a file that holds requests, or neither. */
export type StandardInput = "socket" | "pipe" | null;

export function standardInput({ stdinFd = 0 }: Pick<Io, "stdinFd">): StandardInput {
  const stat = fstatSync(stdinFd);
  if (stat.isSocket()) return "socket";
  return stat.isFIFO() || stat.isFile() ? "pipe" : null;
}

/** The client on the standard input and output. */
export function standardClient(io: Io): Client {
  if (standardInput(io) !== "socket") return new Pipes(io.stdin, io.stdout);
  // The stream of Node.js is made when it is asked for, and two sockets cannot share a descriptor.
  return new Socket({ fd: io.stdinFd ?? 0, allowHalfOpen: true });
}

/** Two streams that make one connection. */
export class Pipes extends Duplex {
  readonly #stdin: Readable;
  readonly #stdout: Writable;
  #idle: NodeJS.Timeout | null = null;

  constructor(stdin: Readable, stdout: Writable) {
    super({ allowHalfOpen: true });
    this.#stdin = stdin;
    this.#stdout = stdout;
    stdin.on("data", (chunk) => {
      this.#idle?.refresh();
      if (!this.push(chunk)) stdin.pause();
    });
    stdin.on("end", () => this.push(null));
    stdin.on("error", (error) => this.destroy(error));
    stdout.on("error", (error) => this.destroy(error));
  }

  /** As that of a socket. */
  setTimeout(milliseconds: number): this {
    if (this.#idle !== null) clearTimeout(this.#idle);
    this.#idle = milliseconds === 0 ? null : setTimeout(() => this.emit("timeout"), milliseconds);
    return this;
  }

  override _read(): void {
    this.#stdin.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#idle?.refresh();
    this.#stdout.write(chunk, done);
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.setTimeout(0);
    this.#stdin.destroy();
    done(error);
  }
}
