/**
 * How much is tried, and from where. FUZZ_RUNS is the number of inputs on live connections; everything else is tried in
 * proportion to its usual number. FUZZ_SEED generates others. The same seed tries the same inputs again.
 */
import fc from "fast-check";

/** The number of inputs on live connections that the numbers given to `inProportion` belong to. */
const referenceRuns = 50_000;
/** A tenth of it in every run of the tests; `npm run nightly` and `npm run fuzz` ask for more. */
const defaultRuns = 5_000;

export const runs = Number(process.env.FUZZ_RUNS ?? defaultRuns);
export const seed = Number(process.env.FUZZ_SEED ?? 1);
/** Milliseconds that one test may take: its bound is what it tries, not the clock. */
export const timeout = 4 * 60 * 60 * 1000;

if (!(runs >= 1) || !Number.isInteger(seed)) throw new Error("FUZZ_RUNS and FUZZ_SEED are whole numbers");

/** The number of runs that belongs to FUZZ_RUNS. @param reference the number that belongs to 50,000 */
export function inProportion(reference: number): number {
  return Math.ceil((reference * runs) / referenceRuns);
}

/** Inputs that are generated at a time. */
const BATCH = 1_000;

export interface Campaign<Input, Lane> {
  readonly inputs: fc.Arbitrary<Input>;
  readonly count: number;
  /** What inputs are tried on; each takes one at a time. */
  readonly lanes: readonly Lane[];
  /** Rejects where the input shows a mistake. */
  attempt(input: Input, lane: Lane): Promise<void>;
  /** Called after every thousand inputs with their number so far. */
  readonly afterBatch?: (done: number) => Promise<void>;
}

/** Tries inputs on all lanes at once. Where one fails, its batch is tried again one by one, and it is made smaller. */
export async function tryAll<Input, Lane>(campaign: Campaign<Input, Lane>): Promise<void> {
  const { count, lanes, afterBatch } = campaign;
  for (let done = 0; done < count; done += BATCH) {
    const batch = { numRuns: Math.min(BATCH, count - done), seed: (Math.imul(seed, 1_000_003) + done) | 0 };
    const inputs = fc.sample(campaign.inputs, batch);
    const attempts = lanes.map(async (lane) => {
      for (let input = inputs.pop(); input !== undefined; input = inputs.pop()) await campaign.attempt(input, lane);
    });
    const failed = (await Promise.allSettled(attempts)).find(({ status }) => status === "rejected");
    if (failed !== undefined) {
      const [lane] = lanes as [Lane];
      await fc.assert(
        fc.asyncProperty(campaign.inputs, (input) => campaign.attempt(input, lane)),
        batch,
      );
      throw (failed as PromiseRejectedResult).reason;
    }
    await afterBatch?.(done + batch.numRuns);
  }
}

/** Octets for a report, to be given to Buffer.from(…, "hex"). */
export function hex(octets: Buffer | string): string {
  return (typeof octets === "string" ? Buffer.from(octets, "latin1") : octets).toString("hex");
}
