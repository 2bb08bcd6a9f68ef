import type { Log, LogLevel } from "../store/store.ts";

/** An error or a warning, as it was logged. */
export interface RecentProblem {
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly level: LogLevel;
  readonly message: string;
}

const COUNT = 10;
/** Characters of a message that are kept. */
const MESSAGE_MAX = 1000;

/** The last errors and warnings that were logged. */
export class RecentProblems {
  readonly #problems: RecentProblem[] = [];

  /** Newest first. */
  list(): readonly RecentProblem[] {
    return this.#problems.toReversed();
  }

  /** The same log; its errors and warnings are recorded here as well. */
  record(log: Log): Log {
    const recorded = (level: "error" | "warning") => (message: string) => {
      this.#add({ at: Date.now(), level, message: message.slice(0, MESSAGE_MAX) });
      log[level](message);
    };
    const { notice, info, debug } = log;
    return { error: recorded("error"), warning: recorded("warning"), notice, info, debug };
  }

  #add(problem: RecentProblem): void {
    this.#problems.push(problem);
    if (this.#problems.length > COUNT) this.#problems.shift();
  }
}
