/**
 * How much is tried, and from where. FUZZ_RUNS is the number of inputs on live connections; everything else is tried in
 * proportion to its usual number. FUZZ_SEED generates others. The same seed tries the same inputs again.
 */
const usualRuns = 50_000;

export const runs = Number(process.env.FUZZ_RUNS ?? usualRuns);
export const seed = Number(process.env.FUZZ_SEED ?? 1);
/** Milliseconds that one test may take: its bound is what it tries, not the clock. */
export const timeout = 4 * 60 * 60 * 1000;

if (!(runs >= 1) || !Number.isInteger(seed)) throw new Error("FUZZ_RUNS and FUZZ_SEED are whole numbers");

/** So many runs, or more or fewer of them as FUZZ_RUNS says. */
export function inProportion(usual: number): number {
  return Math.ceil((usual * runs) / usualRuns);
}

/** Octets for a report, to be given to Buffer.from(…, "hex"). */
export function hex(octets: Buffer | string): string {
  return (typeof octets === "string" ? Buffer.from(octets, "latin1") : octets).toString("hex");
}
