/** Parses numbers as stored in directories: "1048576", "512M", "-1". Any other text is an error. */

export type QuotaUnit = "b" | "k" | "m" | "g";

const factors: Readonly<Record<QuotaUnit, number>> = { b: 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3 };

/**
 * Octets; null if the text is not a number. Beyond 2^53 it is the greatest safe integer, which no usage exceeds.
 * @param unit of a bare number; a suffix B, K, M or G in the text takes precedence
 */
export function parseOctets(text: string, unit: QuotaUnit): number | null {
  const match = /^([+-]?\d+) ?(?:([kmg])i?b?|b)?$/i.exec(text.trim());
  if (match === null) return null;
  const [whole, digits = "", suffix] = match;
  const hasSuffix = !/\d$/.test(whole);
  const inForce = hasSuffix ? ((suffix?.toLowerCase() ?? "b") as QuotaUnit) : unit;
  return Math.min(Number(digits) * factors[inForce], Number.MAX_SAFE_INTEGER);
}

/** A number of messages; null if the text is not a number. */
export function parseCount(text: string): number | null {
  return /^[+-]?\d+$/.test(text.trim()) ? Math.min(Number(text), Number.MAX_SAFE_INTEGER) : null;
}
