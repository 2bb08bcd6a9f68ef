import type { LookupOptions } from "./store.ts";

/** One look-up that can be called off. The AbortController costs more than a fast store's answer, so it is made late. */
export class Lookup implements LookupOptions {
  #controller: AbortController | null = null;
  #reason: unknown = null;

  get signal(): AbortSignal {
    if (this.#controller === null) {
      this.#controller = new AbortController();
      if (this.#reason !== null) this.#controller.abort(this.#reason);
    }
    return this.#controller.signal;
  }

  /** @param reason what the signal's listeners get; not null */
  abort(reason: unknown): void {
    this.#reason ??= reason;
    this.#controller?.abort(reason);
  }
}
