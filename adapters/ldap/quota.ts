/** Figures as directories write them: "1048576", "512M", "-1". What is none is an error, never a guess. */

export type QuotaUnit = "b" | "k" | "m" | "g";

const factors: Readonly<Record<QuotaUnit, number>> = { b: 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3 };

/**
 * Octets; null: the text is no number. Beyond 2^53 it is the greatest safe integer, which no usage exceeds.
 * @param unit of a bare number; a suffix B, K, M or G in the text wins
 */
export function parseOctets(text: string, unit: QuotaUnit): number | null {
  const match = /^([+-]?\d+) ?(?:([kmg])i?b?|b)?$/i.exec(text.trim());
  if (match === null) return null;
  const [whole, digits = "", suffix] = match;
  const hasSuffix = !/\d$/.test(whole);
  const inForce = hasSuffix ? ((suffix?.toLowerCase() ?? "b") as QuotaUnit) : unit;
  return Math.min(Number(digits) * factors[inForce], Number.MAX_SAFE_INTEGER);
}

/** A count of messages; null: the text is none. */
export function parseCount(text: string): number | null {
  return /^[+-]?\d+$/.test(text.trim()) ? Math.min(Number(text), Number.MAX_SAFE_INTEGER) : null;
}
