/** Limits repeated log lines: at most one line per subject and interval. */
import type { Log, LogLevel } from "../store.ts";

export interface ThrottleOptions {
  /** Milliseconds between two lines of one subject; 60,000 by default. Infinity: each subject is logged once. */
  readonly interval?: number;
  /**
   * Maximum number of subjects in memory; 1,000 by default. While as many have been logged within the interval, lines
   * of further subjects are suppressed, because subjects may contain input of clients or servers.
   */
  readonly maxSubjects?: number;
  /** Whether a line ends with the number of lines of its subject that were suppressed before it. */
  readonly countsSuppressed?: boolean;
}

/** Milliseconds. */
const INTERVAL = 60_000;
const MAX_SUBJECTS = 1_000;

interface Throttled {
  /** Time of the last line, on the clock of performance.now(). */
  loggedAt: number;
  /** Lines suppressed since then. */
  suppressed: number;
}

export class ThrottledLog {
  readonly #log: Log;
  readonly #interval: number;
  readonly #maxSubjects: number;
  readonly #countsSuppressed: boolean;
  /** Ordered by their last lines, so that the first one expires first. */
  readonly #subjects = new Map<string, Throttled>();

  constructor(log: Log, options: ThrottleOptions = {}) {
    this.#log = log;
    this.#interval = options.interval ?? INTERVAL;
    this.#maxSubjects = options.maxSubjects ?? MAX_SUBJECTS;
    this.#countsSuppressed = options.countsSuppressed ?? false;
  }

  /** Logs "SUBJECT: MESSAGE" as a warning. @param subject such as the name of an option or of a store */
  warn(subject: string, message: string): void {
    this.write("warning", subject, `${subject}: ${message}`);
  }

  /** Logs a warning that is its own subject. */
  once(line: string): void {
    this.write("warning", line, line);
  }

  /** Logs a line, unless one of the same subject was logged within the interval. @returns whether it was logged */
  write(level: LogLevel, subject: string, line: string): boolean {
    const now = performance.now();
    const before = this.#subjects.get(subject);
    if (before !== undefined && now - before.loggedAt < this.#interval) {
      before.suppressed++;
      return false;
    }
    if (before === undefined && !this.#makeRoom(now)) return false;
    this.#subjects.delete(subject);
    this.#subjects.set(subject, { loggedAt: now, suppressed: 0 });
    const suppressed = this.#countsSuppressed ? (before?.suppressed ?? 0) : 0;
    this.#log[level](suppressed > 0 ? `${line} (${suppressed} more since the last such line)` : line);
    return true;
  }

  /** Removes expired subjects if the limit is reached. @returns false: all subjects are within the interval */
  #makeRoom(now: number): boolean {
    for (const [subject, { loggedAt }] of this.#subjects) {
      if (this.#subjects.size < this.#maxSubjects) break;
      if (now - loggedAt < this.#interval) return false;
      this.#subjects.delete(subject);
    }
    return true;
  }
}
