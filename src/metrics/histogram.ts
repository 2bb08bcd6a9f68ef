/** Histogram of durations with fixed bounds, so that an observation is cheap. */

/** Upper bounds in milliseconds, from an answer from memory to the deadline of a look-up; the last bucket has none. */
export const bounds: readonly number[] = [
  0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000,
];

export interface HistogramCounts {
  /** Observations in each bucket, not cumulative: a bucket for each bound, and one for longer durations. */
  readonly buckets: readonly number[];
  /** Sum of all observations in milliseconds. */
  readonly sum: number;
}

export class Histogram implements HistogramCounts {
  readonly buckets: number[] = Array.from({ length: bounds.length + 1 }, () => 0);
  sum = 0;

  observe(milliseconds: number): void {
    let bucket = 0;
    while (bucket < bounds.length && milliseconds > (bounds[bucket] as number)) bucket++;
    this.buckets[bucket] = (this.buckets[bucket] as number) + 1;
    this.sum += milliseconds;
  }
}

/** Number of observations. */
export function total({ buckets }: HistogramCounts): number {
  return buckets.reduce((sum, count) => sum + count, 0);
}

/**
 * The least bound in milliseconds within which a share of the observations lies; Infinity beyond the last one.
 * @param share from 0 to 1
 * @returns null: there are no observations
 */
export function quantile(counts: HistogramCounts, share: number): number | null {
  const wanted = total(counts) * share;
  if (wanted === 0) return null;
  let seen = 0;
  const bucket = counts.buckets.findIndex((count) => {
    seen += count;
    return seen >= wanted;
  });
  return bounds[bucket] ?? Number.POSITIVE_INFINITY;
}
