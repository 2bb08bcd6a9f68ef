/** Values of imapd.conf by type, as Cyrus lib/libconfig.c reads them. Each function gives null for what it refuses. */

const INT32_MAX = 2 ** 31 - 1;

/** INT: strtol with base 0, so 0x10 is 16 and 010 is 8. Nothing may follow. */
export function parseInteger(text: string): number | null {
  const match = /^([+-]?)(?:0[xX]([0-9a-fA-F]+)|0([0-7]*)|([1-9][0-9]*))$/.exec(text);
  if (match === null) return null;
  const [, sign, hexadecimal, octal, decimal] = match;
  const magnitude =
    hexadecimal !== undefined
      ? Number.parseInt(hexadecimal, 16)
      : decimal !== undefined
        ? Number(decimal)
        : Number.parseInt(`0${octal}`, 8);
  return withSign(sign === "-", magnitude, INT32_MAX);
}

/** SWITCH: the first characters decide, in lower case only. */
export function parseSwitch(text: string): boolean | null {
  if (/^(?:0|n|of|f)/.test(text)) return false;
  if (/^(?:1|y|on|t)/.test(text)) return true;
  return null;
}

/** ENUM and STRINGLIST: one of the words. Where "on" or "off" is a word, so are the ways of a switch to say it. */
export function parseChoice(text: string, words: readonly string[]): string | null {
  if (words.includes(text)) return text;
  if (words.includes("on") && ["1", "yes", "t", "true"].includes(text)) return "on";
  if (words.includes("off") && ["0", "no", "f", "false"].includes(text)) return "off";
  return null;
}

const secondsPer: Readonly<Record<string, number>> = { d: 86400, h: 3600, m: 60, s: 1 };

/** DURATION in seconds: sums like 1h30m; a number without a unit at the end is seconds. */
export function parseDuration(text: string): number | null {
  const match = /^(-?)((?:[0-9]+[dhms])*(?:[0-9]+)?)$/.exec(text);
  const [, sign, sum] = match ?? [];
  if (sum === undefined || sum === "") return null;
  let seconds = 0;
  for (const [, digits, unit] of sum.matchAll(/([0-9]+)([dhms]?)/g)) {
    seconds += Number(digits) * (secondsPer[unit || "s"] ?? 1);
  }
  return withSign(sign === "-", seconds, INT32_MAX);
}

const exponent: Readonly<Record<string, number>> = { k: 1, m: 2, g: 3 };

/** BYTESIZE in octets: units of 1024 whatever their spelling (K, KB, KiB). */
export function parseBytes(text: string): number | null {
  const match = /^([+-]?)([0-9]+)[ \t\n\v\f\r]*(?:([kmg])i?)?b?$/i.exec(text);
  if (match === null) return null;
  const [, sign, digits, unit] = match;
  const octets = Number(digits) * 1024 ** (unit === undefined ? 0 : (exponent[unit.toLowerCase()] ?? 0));
  return withSign(sign === "-", octets, Number.MAX_SAFE_INTEGER);
}

/** Overflow is refused: the original's silent wrap-around helps nobody. */
function withSign(isNegative: boolean, magnitude: number, max: number): number | null {
  if (magnitude > max) return null;
  return isNegative && magnitude !== 0 ? -magnitude : magnitude;
}
