/** A client on the standard input and output: started by inetd, or by a shell with a pipe. */
import { fstatSync } from "node:fs";
import { Socket } from "node:net";
import { Duplex, type Readable, type Writable } from "node:stream";
import type { Io } from "../../io.ts";
import type { Client } from "../../net/connection.ts";

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
