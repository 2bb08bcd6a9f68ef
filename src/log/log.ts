/**
 * The log of the process: destination and format of its lines. Writing never blocks, every message is one line, and lines
 * that cannot be written in time are lost, counted and reported.
 */
import type { Writable } from "node:stream";
import type { Log, LogLevel } from "../store/store.ts";
import { bareFormat, entryOf, type Format, jsonFormat, prefixFormat, severities, textFormat } from "./entry.ts";
import { StandardError } from "./stderr.ts";
import { Syslog } from "./syslog.ts";

/** syslog, or lines of text or JSON on standard error. */
export type LogPlace = "syslog" | "text" | "json";

export interface LogOptions {
  /** null: text where standard error is usable, else syslog. */
  readonly place: LogPlace | null;
  /** Name of the program in each line, such as cyrus/smmap. */
  readonly ident: string;
  /** Facility of syslog, as a number of RFC 5424 section 6.2.1. */
  readonly facility: number;
  /** The lowest level that is written. */
  readonly lowest: LogLevel;
}

/** The process that logs. */
export interface LogProcess {
  readonly pid: number;
  readonly stderr: Writable;
  readonly env: Readonly<Record<string, string | undefined>>;
}

export class ProcessLog implements Log {
  readonly #pid: number;
  readonly #stderr: StandardError;
  #options: LogOptions;
  #syslog: Syslog | null;
  /** Settles when the syslog connections of earlier options are closed. */
  #retired: Promise<unknown> = Promise.resolve();

  constructor(options: LogOptions, { pid, stderr, env }: LogProcess) {
    this.#pid = pid;
    this.#options = options;
    this.#stderr = new StandardError(stderr, env.JOURNAL_STREAM, bareFormat);
    this.#stderr.format = this.#stderrFormat();
    this.#syslog = this.#openSyslog();
  }

  readonly error = (message: string): void => this.#write("error", message);
  readonly warning = (message: string): void => this.#write("warning", message);
  readonly notice = (message: string): void => this.#write("notice", message);
  readonly info = (message: string): void => this.#write("info", message);
  readonly debug = (message: string): void => this.#write("debug", message);

  /** Applies new options. */
  adjust(options: LogOptions): void {
    const { place, ident, facility } = this.#options;
    this.#options = options;
    this.#stderr.format = this.#stderrFormat();
    if (options.place !== place || options.ident !== ident || options.facility !== facility) this.reopen();
  }

  /** Starts a new logger(1), which runs with the present rights of the process, and closes the old one. */
  reopen(): void {
    this.#retired = Promise.all([this.#retired, this.#syslog?.close()]);
    this.#syslog = this.#openSyslog();
  }

  /**
   * Waits for the last lines, for a limited time.
   * @returns false: they could not be written, and keep the process from exiting by itself
   */
  async close(): Promise<boolean> {
    await Promise.all([this.#retired, this.#syslog?.close()]);
    return await this.#stderr.close();
  }

  #write(level: LogLevel, message: string): void {
    if (severities[level] > severities[this.#options.lowest]) return;
    (this.#syslog ?? this.#stderr).write(entryOf(level, message));
  }

  #openSyslog(): Syslog | null {
    const { place, ident, facility } = this.#options;
    if ((place ?? (this.#stderr.isRead ? "text" : "syslog")) !== "syslog") return null;
    return new Syslog({ ident, pid: this.#pid, facility, fallback: (entry) => this.#stderr.write(entry) });
  }

  #stderrFormat(): Format {
    const { place, ident } = this.#options;
    const { isJournal } = this.#stderr;
    if (place === "json") return isJournal ? prefixFormat(0, jsonFormat) : jsonFormat;
    return isJournal ? prefixFormat(0, bareFormat) : textFormat(`${ident}[${this.#pid}]`);
  }
}

/** For commands: lines of text to a stream, without process id and time. */
export function plainLog(stream: Writable, ident: string, lowest: LogLevel): Log {
  const format = textFormat(ident);
  const write = (level: LogLevel) => (message: string) => {
    if (severities[level] <= severities[lowest]) stream.write(`${format(entryOf(level, message))}\n`);
  };
  return {
    error: write("error"),
    warning: write("warning"),
    notice: write("notice"),
    info: write("info"),
    debug: write("debug"),
  };
}
