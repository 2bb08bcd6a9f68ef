import type { Readable, Writable } from "node:stream";
import { ConfigError, StoreError } from "./store/store.ts";

/** What Node's `process` has for privileges; absent on systems without users, and in tests. */
export interface PrivilegedProcess {
  getuid?(): number;
  initgroups?(user: string, group: number): void;
  setgid?(group: number): void;
  setuid?(user: number): void;
}

/** What a command may touch of the process: handed in by main.ts, so that commands can be run by tests. */
export interface Io extends PrivilegedProcess {
  readonly stdin: Readable;
  /** Descriptor of the standard input, for who must not touch the stream; 0 by default. */
  readonly stdinFd?: number;
  readonly stdout: Writable;
  readonly stderr: Writable;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** Exit statuses of sysexits.h that we use, and 128 + SIGPIPE. */
export const exit = {
  ok: 0,
  usage: 64,
  unavailable: 69,
  software: 70,
  tempfail: 75,
  config: 78,
  brokenPipe: 141,
} as const;

/** A mistake on the command line. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** There is no daemon that could be asked. */
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
