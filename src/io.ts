import type { Readable, Writable } from "node:stream";
import { ConfigError, StoreError } from "./store/store.ts";

/** The part of Node's `process` that concerns users; absent on systems without them, and in tests. */
export interface PrivilegedProcess {
  getuid?(): number;
  initgroups?(user: string, group: number): void;
  setgid?(group: number): void;
  setuid?(user: number): void;
}

/** The part of Node's `process` that commands use. main.ts passes it, so that tests can run commands. */
export interface Io extends PrivilegedProcess {
  readonly stdin: Readable;
  /** Descriptor of standard input, for callers that must not create the stream; 0 by default. */
  readonly stdinFd?: number;
  readonly stdout: Writable;
  readonly stderr: Writable;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** Exit statuses of sysexits.h, and 128 + SIGPIPE. */
export const exit = {
  ok: 0,
  usage: 64,
  unavailable: 69,
  software: 70,
  tempfail: 75,
  config: 78,
  brokenPipe: 141,
} as const;

/** The command line is wrong. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** No running daemon can be reached. */
export class UnavailableError extends Error {
  override readonly name = "UnavailableError";
}

/** The exit status of a program that ends with this error. */
export function exitStatusOf(error: unknown): number {
  if (error instanceof UsageError) return exit.usage;
  if (error instanceof UnavailableError) return exit.unavailable;
  if (error instanceof ConfigError) return exit.config;
  if (error instanceof StoreError) return exit.tempfail;
  return exit.software;
}
