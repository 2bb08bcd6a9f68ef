/** What every bench has around it: the load generator, a folder in memory, a word on what went wrong. */
import { rmSync } from "node:fs";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { buildLoad } from "./load.ts";

export function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** Shows a bench's results. @param file of the bench folder that they are also written to; null: to none */
export async function tell(results: string, file: string | null): Promise<void> {
  say(`\n${results}`);
  // From dist/bench, where this file runs, to bench.
  if (file !== null) await writeFile(fileURLToPath(new URL(`../../bench/${file}`, import.meta.url)), results);
}

/** Runs a bench in a folder of its own, which is removed in the end. A failure becomes the exit status. */
export async function bench(name: string, main: (folder: string) => Promise<void>): Promise<void> {
  try {
    await buildLoad();
    const folder = await mkdtemp(`/dev/shm/smmapd-${name}-`);
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
      process.once(signal, () => {
        rmSync(folder, { recursive: true, force: true });
        process.exit(130);
      });
    }
    try {
      await chmod(folder, 0o755);
      await main(folder);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  } catch (error) {
    process.stderr.write(`bench: ${error instanceof Error ? error.message : error}\n`);
    process.exitCode = 1;
  }
}
