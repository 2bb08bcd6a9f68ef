import type { Log, StoreError } from "../store/store.ts";

/** The log of `smmapd check`, which reports each failure once: in the answer where that shows it, else as a log line. */
export class FaultLog implements Log {
  readonly warning: Log["warning"];
  readonly notice: Log["notice"];
  readonly info: Log["info"];
  readonly debug: Log["debug"];
  readonly #write: Log["error"];
  /** Errors since the last flush, which an answer may show as well. */
  #errors: string[] = [];

  constructor({ error, warning, notice, info, debug }: Log) {
    this.#write = error;
    this.warning = warning;
    this.notice = notice;
    this.info = info;
    this.debug = debug;
  }

  readonly error = (message: string): void => {
    this.#errors.push(message);
  };

  /**
   * Writes the errors since the last flush.
   * @param failures the failures behind the answers since then
   * @param areShown whether the answers show them
   */
  flush(failures: readonly StoreError[], areShown: boolean): void {
    for (const { message, code } of failures) {
      const same = this.#errors.filter((error) => error.includes(message));
      // The guard's line contains the message and the code, and for an internal error its stack.
      const [longest] = same.sort((one, other) => other.length - one.length);
      this.#errors = this.#errors.filter((error) => !same.includes(error));
      if (longest !== undefined && (!areShown || code === "internal")) this.#write(longest);
    }
    for (const error of this.#errors.splice(0)) this.#write(error);
  }
}
