/** Output of a command, whose reader may close the pipe early, like head(1). */
import type { Writable } from "node:stream";
import { exit, type Io } from "../io.ts";

/**
 * Runs a command, and waits until its output has been written.
 * @returns its exit status, or 141 where the reader has closed standard output or standard error: the status in a shell of
 * a program killed by SIGPIPE, which Node.js ignores
 */
export function untilPipeCloses({ stdout, stderr }: Io, run: () => Promise<number>): Promise<number> {
  const streams = [stdout, stderr];
  const closed = new Promise<number>((resolve, reject) => {
    for (const stream of streams) {
      stream.on("error", (error: NodeJS.ErrnoException) => {
        if (error.code === "EPIPE") resolve(exit.brokenPipe);
        else reject(error);
      });
    }
  });
  const finished = async () => {
    const status = await run();
    await Promise.all(streams.map(written));
    return status;
  };
  return Promise.race([closed, finished()]);
}

/** Resolves when everything has been written; never on failure, which the "error" listener handles. */
function written(stream: Writable): Promise<void> {
  return new Promise((resolve) => {
    stream.write("", (error) => {
      if (!error) resolve();
    });
  });
}
