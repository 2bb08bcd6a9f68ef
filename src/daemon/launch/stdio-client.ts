/** A client on standard input and output: of inetd, or of a shell's pipe. */
import { fstatSync } from "node:fs";
import { Socket } from "node:net";
import { Duplex, type Readable, type Writable } from "node:stream";
import type { Io } from "../../io.ts";
import type { Client } from "../../net/connection.ts";

/** What standard input is: a client's connection, a pipe or file with requests, or null: neither. */
export type StandardInput = "socket" | "pipe" | null;

export function standardInput({ stdinFd = 0 }: Pick<Io, "stdinFd">): StandardInput {
  const stat = fstatSync(stdinFd);
  if (stat.isSocket()) return "socket";
  return stat.isFIFO() || stat.isFile() ? "pipe" : null;
}

/** The client on standard input and output. */
export function standardClient(io: Io): Client {
  if (standardInput(io) !== "socket") return new Pipes(io.stdin, io.stdout);
  // Node.js creates process.stdin on first access, and two sockets cannot share a descriptor: io.stdin must not be read.
  return new Socket({ fd: io.stdinFd ?? 0, allowHalfOpen: true });
}

/** Two streams that form one connection. */
export class Pipes extends Duplex {
  readonly #stdin: Readable;
  readonly #stdout: Writable;
  #idleTimer: NodeJS.Timeout | null = null;

  constructor(stdin: Readable, stdout: Writable) {
    super({ allowHalfOpen: true });
    this.#stdin = stdin;
    this.#stdout = stdout;
    stdin.on("data", (chunk) => {
      this.#idleTimer?.refresh();
      if (!this.push(chunk)) stdin.pause();
    });
    stdin.on("end", () => this.push(null));
    stdin.on("error", (error) => this.destroy(error));
    stdout.on("error", (error) => this.destroy(error));
  }

  /** As of a socket. */
  setTimeout(milliseconds: number): this {
    if (this.#idleTimer !== null) clearTimeout(this.#idleTimer);
    this.#idleTimer = milliseconds === 0 ? null : setTimeout(() => this.emit("timeout"), milliseconds);
    return this;
  }

  override _read(): void {
    this.#stdin.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#idleTimer?.refresh();
    this.#stdout.write(chunk, done);
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.setTimeout(0);
    this.#stdin.destroy();
    done(error);
  }
}
