import { defineConfig } from "vitest/config";

/** `npm run nightly` also runs what is too long for every change, below test/nightly. */
const isNightly = process.env.NIGHTLY === "1";

export default defineConfig({
  root: new URL("..", import.meta.url).pathname,
  test: {
    include: ["test/**/*.test.ts"],
    exclude: isNightly ? [] : ["test/nightly/**"],
    pool: "forks",
    // Most tests wait for servers most of the time.
    maxWorkers: 2,
    testTimeout: 30_000,
    hookTimeout: 120_000,
    coverage: {
      provider: "v8",
      include: ["src/**/*.ts", "adapters/**/*.ts"],
      reporter: ["text-summary", "json-summary"],
      reportsDirectory: "coverage",
      thresholds: { lines: 95 },
    },
  },
});
