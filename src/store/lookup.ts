import type { LookupOptions } from "./store.ts";

/**
 * A look-up that can be cancelled. An AbortController costs more than the answer of a fast store, so it is created when
 * the signal is first read. A child look-up is cancelled with its parent, and can be cancelled separately: the deadline
 * of one store must not cancel a look-up in the next store.
 */
export class Lookup implements LookupOptions {
  readonly #parent: LookupOptions | null;
  readonly #children: Lookup[] = [];
  #controller: AbortController | null = null;
  #reason: unknown = null;

  constructor(parent: LookupOptions | null = null) {
    this.#parent = parent;
  }

  get signal(): AbortSignal {
    if (this.#controller === null) {
      this.#controller = new AbortController();
      this.#follow(this.#parent);
      if (this.#reason !== null) this.#controller.abort(this.#reason);
    }
    return this.#controller.signal;
  }

  /** Cancels the look-up and its children. @param reason the signal's reason; not null */
  abort(reason: unknown): void {
    this.#reason ??= reason;
    this.#controller?.abort(reason);
    for (const child of this.#children) child.abort(reason);
  }

  #follow(parent: LookupOptions | null): void {
    if (parent === null) return;
    if (parent instanceof Lookup) {
      // The parent follows its own parent only once its signal has been read.
      if (parent.#parent !== null) void parent.signal;
      this.#reason ??= parent.#reason;
      parent.#children.push(this);
      return;
    }
    const { signal } = parent;
    if (signal.aborted) this.#reason ??= signal.reason;
    else signal.addEventListener("abort", () => this.abort(signal.reason), { once: true });
  }
}
