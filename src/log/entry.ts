/** A log message, and its formats as a line. */
import type { LogLevel } from "../store/store.ts";
import { printable, printableJson } from "./printable.ts";

export interface Entry {
  /** Milliseconds since 1970. */
  readonly time: number;
  readonly level: LogLevel;
  /** Not escaped, but cut to MESSAGE_MAX. */
  readonly message: string;
}

/** Formats an entry as exactly one line, without its end, whatever the message contains. */
export type Format = (entry: Entry) => string;

/** Numerical severities of RFC 5424 section 6.2.1. */
export const severities: Readonly<Record<LogLevel, number>> = { error: 3, warning: 4, notice: 5, info: 6, debug: 7 };

/** Octets of UTF-8. Syslog daemons accept this much by default: rsyslog 8 KiB. */
export const MESSAGE_MAX = 8000;
const CUT = "… (cut)";

export function entryOf(level: LogLevel, message: string): Entry {
  return { time: Date.now(), level, message: cut(message) };
}

function cut(message: string): string {
  // A UTF-16 code unit becomes at most three octets.
  if (message.length * 3 <= MESSAGE_MAX || Buffer.byteLength(message) <= MESSAGE_MAX) return message;
  const kept = Buffer.from(message).subarray(0, MESSAGE_MAX - Buffer.byteLength(CUT));
  return kept.toString().replace(/\ufffd?$/, CUT);
}

/** For people. @param ident name of the process, such as smmap[4711] */
export function textFormat(ident: string): Format {
  return ({ level, message }) => `${ident}: ${level}: ${printable(message)}`;
}

/** For programs. */
export const jsonFormat: Format = ({ time, level, message }) =>
  printableJson(JSON.stringify({ time: new Date(time).toISOString(), level, message }));

/**
 * With the priority in front as <N>, which logger(1) and journald interpret and remove.
 * @param facility of RFC 5424 section 6.2.1; 0 for journald, which reads the severity only
 */
export function prefixFormat(facility: number, format: Format): Format {
  return (entry) => `<${facility * 8 + severities[entry.level]}>${format(entry)}`;
}

/** The message alone, for syslog and journald, which add the rest. */
export const bareFormat: Format = ({ message }) => printable(message);
