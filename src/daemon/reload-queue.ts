/** Runs reloads one at a time. Requests that arrive during a reload are merged into one. */
export class ReloadQueue {
  #run: (() => Promise<void>) | null = null;
  #isRequested = false;
  #isRunning = false;

  readonly request = (): void => {
    this.#isRequested = true;
    void this.#work();
  };

  /** Sets what a reload does, and runs it if one has been requested already. @param run must not reject */
  start(run: () => Promise<void>): void {
    this.#run = run;
    void this.#work();
  }

  /** Ignores further requests. */
  stop(): void {
    this.#run = null;
  }

  async #work(): Promise<void> {
    if (this.#isRunning) return;
    this.#isRunning = true;
    while (this.#run !== null && this.#isRequested) {
      this.#isRequested = false;
      await this.#run();
    }
    this.#isRunning = false;
  }
}
