/** One message for the log, and the lines that it can become. */
import type { LogLevel } from "../store/store.ts";
import { printable, printableJson } from "./printable.ts";

export interface Entry {
  /** Milliseconds since 1970. */
  readonly time: number;
  readonly level: LogLevel;
  /** As it came, but cut to MESSAGE_MAX. */
  readonly message: string;
}

/** An entry as a line, without its end. Never more than one line, whatever the message holds. */
export type Format = (entry: Entry) => string;

/** Numerical severities of RFC 5424 section 6.2.1. */
export const severities: Readonly<Record<LogLevel, number>> = { error: 3, warning: 4, notice: 5, info: 6, debug: 7 };

/** Octets of UTF-8. What syslog daemons take without a word in their configuration: rsyslog 8 KiB. */
export const MESSAGE_MAX = 8000;
const CUT = "… (cut)";

export function entryOf(level: LogLevel, message: string): Entry {
  return { time: Date.now(), level, message: cut(message) };
}

function cut(message: string): string {
  // One unit of UTF-16 is at most three octets.
  if (message.length * 3 <= MESSAGE_MAX || Buffer.byteLength(message) <= MESSAGE_MAX) return message;
  const kept = Buffer.from(message).subarray(0, MESSAGE_MAX - Buffer.byteLength(CUT));
  return kept.toString().replace(/\ufffd?$/, CUT);
}

/** For people. @param ident who speaks, such as smmap[4711] */
export function textFormat(ident: string): Format {
  return ({ level, message }) => `${ident}: ${level}: ${printable(message)}`;
}

/** For programs. */
export const jsonFormat: Format = ({ time, level, message }) =>
  printableJson(JSON.stringify({ time: new Date(time).toISOString(), level, message }));

/**
 * With the priority in front as <N>, which logger(1) and journald take off again.
 * @param facility of RFC 5424 section 6.2.1; journald, which knows it from elsewhere, reads severities alone: 0
 */
export function prefixFormat(facility: number, format: Format): Format {
  return (entry) => `<${facility * 8 + severities[entry.level]}>${format(entry)}`;
}

/** The message alone, where who reads it knows the rest. */
export const bareFormat: Format = ({ message }) => printable(message);
