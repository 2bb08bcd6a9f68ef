/** Keys whose work was slow when it was last done. The empty key stands for no key and is never one of them. */

/** Beyond that the keys that were noted first are forgotten. */
const KEYS_MAX = 10_000;

export class SlowKeys {
  readonly #keys = new Set<string>();

  get size(): number {
    return this.#keys.size;
  }

  has(key: string): boolean {
    return this.#keys.size > 0 && this.#keys.has(key);
  }

  note(key: string, isSlow: boolean): void {
    if (!isSlow) {
      if (this.#keys.size > 0) this.#keys.delete(key);
      return;
    }
    if (key === "" || this.#keys.has(key)) return;
    this.#keys.add(key);
    if (this.#keys.size <= KEYS_MAX) return;
    for (const oldest of this.#keys) {
      this.#keys.delete(oldest);
      return;
    }
  }
}
