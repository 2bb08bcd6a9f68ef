import type { Log, LogLevel } from "../store/store.ts";

/** Something that went wrong, in the words of the log. */
export interface Complaint {
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly level: LogLevel;
  readonly message: string;
}

const COUNT = 10;
/** Characters of a message that are kept. */
const MESSAGE_MAX = 1000;

/** The last errors and warnings that the log was told. */
export class Complaints {
  readonly #complaints: Complaint[] = [];

  /** Newest first. */
  list(): readonly Complaint[] {
    return this.#complaints.toReversed();
  }

  /** The same log, its errors and warnings remembered here. */
  listenTo(log: Log): Log {
    const heard = (level: "error" | "warning") => (message: string) => {
      this.#remember({ at: Date.now(), level, message: message.slice(0, MESSAGE_MAX) });
      log[level](message);
    };
    const { notice, info, debug } = log;
    return { error: heard("error"), warning: heard("warning"), notice, info, debug };
  }

  #remember(complaint: Complaint): void {
    this.#complaints.push(complaint);
    if (this.#complaints.length > COUNT) this.#complaints.shift();
  }
}
