import type { Log, StoreError } from "../store/store.ts";

/** The log of `smmapd check`, which tells of each fault once: in the answer where that shows it, else in a line. */
export class FaultLog implements Log {
  readonly warning: Log["warning"];
  readonly notice: Log["notice"];
  readonly info: Log["info"];
  readonly debug: Log["debug"];
  readonly #tell: Log["error"];
  /** Errors that an answer may tell of as well. */
  #errors: string[] = [];

  constructor({ error, warning, notice, info, debug }: Log) {
    this.#tell = error;
    this.warning = warning;
    this.notice = notice;
    this.info = info;
    this.debug = debug;
  }

  readonly error = (message: string): void => {
    this.#errors.push(message);
  };

  /**
   * Writes what has gone wrong since the last time.
   * @param failures those behind the answers since then
   * @param areShown whether the answers tell of them
   */
  flush(failures: readonly StoreError[], areShown: boolean): void {
    for (const { message, code } of failures) {
      const same = this.#errors.filter((error) => error.includes(message));
      // The guard's line ends with the code, and with the stack of what is a mistake.
      const [fullest] = same.sort((one, other) => other.length - one.length);
      this.#errors = this.#errors.filter((error) => !same.includes(error));
      if (fullest !== undefined && (!areShown || code === "internal")) this.#tell(fullest);
    }
    for (const error of this.#errors.splice(0)) this.#tell(error);
  }
}
