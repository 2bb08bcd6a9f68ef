/** The types of values in imapd.conf, parsed as in Cyrus lib/libconfig.c. */

export interface ValueType<T> {
  /** null: the value is not valid. @param words the words of a choice */
  parse(text: string, words: readonly string[]): T | null;
  /** The error message for an invalid value, in Cyrus' words. */
  complaint(key: string, text: string): string;
  /** A description of valid values. */
  hint(words: readonly string[]): string;
}

/** Overflow is an error, while Cyrus silently uses another number. */
function signed(sign: string | undefined, magnitude: number, max: number): number | null {
  if (magnitude > max) return null;
  return sign === "-" && magnitude !== 0 ? -magnitude : magnitude;
}

const INT32_MAX = 2 ** 31 - 1;

/** strtol(3) with base 0, so 0x10 is 16 and 010 is 8. */
export const integer: ValueType<number> = {
  parse(text) {
    const match = /^([+-]?)(?:0x([0-9a-f]+)|0([0-7]*)|([1-9][0-9]*))$/i.exec(text);
    if (match === null) return null;
    const [, sign, hexadecimal, octal, decimal] = match;
    if (hexadecimal !== undefined) return signed(sign, Number.parseInt(hexadecimal, 16), INT32_MAX);
    if (octal !== undefined) return signed(sign, Number.parseInt(`0${octal}`, 8), INT32_MAX);
    return signed(sign, Number(decimal), INT32_MAX);
  },
  complaint: (key) => `non-integer value for ${key}`,
  hint: () => "a whole number below 2^31",
};

/** Decided by the first characters, in lower case only. */
export const switchType: ValueType<boolean> = {
  parse(text) {
    if (/^(?:0|n|of|f)/.test(text)) return false;
    if (/^(?:1|y|on|t)/.test(text)) return true;
    return null;
  },
  complaint: (key) => `non-switch value for ${key}`,
  hint: () => "yes or no, in lower case",
};

/** Cyrus' ENUM and STRINGLIST: if "on" or "off" is a word, the values of a switch are accepted for it as well. */
export const choice: ValueType<string> = {
  parse(text, words) {
    if (words.includes(text)) return text;
    if (words.includes("on") && ["1", "yes", "t", "true"].includes(text)) return "on";
    if (words.includes("off") && ["0", "no", "f", "false"].includes(text)) return "off";
    return null;
  },
  complaint: (key, text) => `invalid value '${text}' for ${key}`,
  hint: (words) => `one of ${words.join(", ")}`,
};

const secondsPer: Readonly<Record<string, number>> = { d: 86400, h: 3600, m: 60, s: 1 };

/** Seconds, from sums such as 1h30m; a last number without a unit is in seconds. */
export const duration: ValueType<number> = {
  parse(text) {
    const [, sign, sum = ""] = /^(-?)((?:[0-9]+[dhms])*(?:[0-9]+)?)$/.exec(text) ?? [];
    if (sum === "") return null;
    let seconds = 0;
    for (const [, digits, unit] of sum.matchAll(/([0-9]+)([dhms]?)/g)) {
      seconds += Number(digits) * (secondsPer[unit || "s"] as number);
    }
    return signed(sign, seconds, INT32_MAX);
  },
  complaint: (key, text) => `unparsable duration '${text}' for ${key}`,
  hint: () => "such as 90s or 1h30m, in d, h, m and s",
};

/** Octets; units are powers of 1024 in every spelling, K, KB or KiB. */
export const bytes: ValueType<number> = {
  parse(text) {
    const match = /^([+-]?)([0-9]+)[ \t\n\v\f\r]*(?:([kmg])i?)?b?$/i.exec(text);
    if (match === null) return null;
    const [, sign, digits, unit = ""] = match;
    return signed(sign, Number(digits) * 1024 ** " kmg".indexOf(unit.toLowerCase() || " "), Number.MAX_SAFE_INTEGER);
  },
  complaint: (key, text) => `unparsable byte size '${text}' for ${key}`,
  hint: () => "such as 10000 or 16KiB",
};
