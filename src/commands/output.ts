/** What a command writes, and its end where the reader closes the pipe, as head(1) does. */
import type { Writable } from "node:stream";
import { exit, type Io } from "../io.ts";

/**
 * Runs a command until all that it has written has been taken.
 * @returns its exit status, or 141 where the reader has closed standard output or standard error: what a shell shows of
 * a program that SIGPIPE has ended. Node.js ignores that signal.
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

/** Resolves when all has been written; never where that fails, for then the stream has an error. */
function written(stream: Writable): Promise<void> {
  return new Promise((resolve) => {
    stream.write("", (error) => {
      if (!error) resolve();
    });
  });
}
