/** Wishes for a reload, granted one after another; those that come meanwhile are one. */
export class Reload {
  #run: (() => Promise<void>) | null = null;
  #isWanted = false;
  #isRunning = false;

  readonly request = (): void => {
    this.#isWanted = true;
    void this.#work();
  };

  /** From now on; a wish that has come already is granted. */
  start(run: () => Promise<void>): void {
    this.#run = run;
    void this.#work();
  }

  stop(): void {
    this.#run = null;
  }

  async #work(): Promise<void> {
    if (this.#isRunning) return;
    this.#isRunning = true;
    while (this.#run !== null && this.#isWanted) {
      this.#isWanted = false;
      await this.#run();
    }
    this.#isRunning = false;
  }
}
