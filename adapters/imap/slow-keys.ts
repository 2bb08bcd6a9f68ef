/** Keys whose last work was slow. The empty key means no key and is never recorded. */

/** Maximum number of keys; beyond it the oldest are removed. */
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
