import type { Readable, Writable } from "node:stream";

/** What a command may touch of the process: handed in by main.ts, so that commands can be run by tests. */
export interface Io {
  readonly stdin: Readable;
  readonly stdout: Writable;
  readonly stderr: Writable;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** Exit statuses of sysexits.h that we use. */
export const exit = { ok: 0, usage: 64, software: 70, tempfail: 75, config: 78 } as const;
