/** Requests to shut the process down. */

/**
 * How connections end:
 *
 * - idle: each when its client closes it, or when it has been idle for as long as in normal operation
 * - drain: each after a short idle time, and all after smmap_drain_timeout
 * - immediate: after the replies to the requests that were read
 */
export type ShutdownMode = "idle" | "drain" | "immediate";

export interface Shutdown {
  /** For the log. */
  readonly reason: string;
  readonly mode: ShutdownMode;
  /** Exit status. */
  readonly status: number;
}

/** From the slowest to the fastest. */
const modes: readonly ShutdownMode[] = ["idle", "drain", "immediate"];

/** Collects requests to shut down. A request counts only if its mode is faster than that of every earlier one. */
export class ShutdownRequests {
  #latest: Shutdown | null = null;
  #taken: Shutdown | null = null;
  #wake: () => void = () => {};

  request(shutdown: Shutdown): void {
    if (!isFaster(shutdown, this.#latest)) return;
    this.#latest = shutdown;
    this.#wake();
  }

  /** Resolves with the next request that counts, which may have been made before. Supports one waiting caller. */
  async next(): Promise<Shutdown> {
    while (this.#latest === null || this.#latest === this.#taken) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    this.#taken = this.#latest;
    return this.#taken;
  }
}

function isFaster(shutdown: Shutdown, other: Shutdown | null): boolean {
  return other === null || modes.indexOf(shutdown.mode) > modes.indexOf(other.mode);
}
