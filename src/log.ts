/** Log lines: one message a line, whatever the message holds. */
import type { Writable } from "node:stream";
import type { Log, LogLevel } from "./store/store.ts";

export type LogFormat = "text" | "json";

const levels: readonly LogLevel[] = ["error", "warning", "notice", "info", "debug"];

export interface LogOptions {
  readonly format: LogFormat;
  readonly stream: Writable;
  /** Written before each text line, such as "smmapd[4711]". */
  readonly ident: string;
  /** The least urgent level that is written. */
  readonly lowest: LogLevel;
}

export function createLog({ format, stream, ident, lowest }: LogOptions): Log {
  const write = (level: LogLevel) => (message: string) => {
    if (levels.indexOf(level) > levels.indexOf(lowest)) return;
    const line =
      format === "json"
        ? escapeJson(JSON.stringify({ time: new Date().toISOString(), level, message }))
        : `${ident}: ${level}: ${printable(message)}`;
    stream.write(`${line}\n`);
  };
  return Object.fromEntries(levels.map((level) => [level, write(level)])) as Log;
}

/** Control characters as \xNN, so that text from outside can neither break a line nor drive a terminal. */
export function printable(text: string): string {
  return text.replace(/[\x00-\x1f\x7f-\x9f\u2028\u2029]/g, (char) => {
    return `\\x${char.charCodeAt(0).toString(16).padStart(2, "0")}`;
  });
}

/** JSON may hold them as they are, a terminal may act on them. */
function escapeJson(json: string): string {
  return json.replace(/[\x7f-\x9f\u2028\u2029]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`);
}
