/**
 * Records servers of a store that accept connections and then answer that they cannot serve: busy, unavailable, a
 * replica during its initialization. Shared by all connections of a store.
 */

/**
 * Milliseconds. The time doubles each time that the server fails again. The first is slightly less than the interval of
 * attempts to fail back, so that the resolution of timers does not skip an attempt.
 */
const AVOID_FIRST = 29_500;
const AVOID_LONGEST = 600_000;

interface Avoidance {
  readonly wait: number;
  /** On the clock of performance.now(). */
  readonly until: number;
  /** Time at which it was used again, on the same clock; null: not yet. */
  takenAt: number | null;
}

export class EndpointHealth {
  readonly #avoided = new Map<string, Avoidance>();

  /** Records a switch-over from a server that could not serve a request that another one served. */
  left(server: string): void {
    const wait = nextWait(this.#avoided.get(server), performance.now());
    this.#avoided.set(server, { wait, until: performance.now() + wait, takenAt: null });
  }

  /** Records that a server is used. */
  taken(server: string): void {
    const avoidance = this.#avoided.get(server);
    if (avoidance !== undefined) avoidance.takenAt ??= performance.now();
  }

  /** Whether a server should be used only if no other is available. */
  isAvoided(server: string): boolean {
    const avoidance = this.#avoided.get(server);
    return avoidance !== undefined && performance.now() < avoidance.until;
  }
}

/** A server that has served for longer than it was avoided has recovered: its next fault counts as the first. */
function nextWait(last: Avoidance | undefined, now: number): number {
  if (last === undefined || (last.takenAt !== null && now - last.takenAt > last.wait)) return AVOID_FIRST;
  // Several connections may report the same fault.
  return now < last.until ? last.wait : Math.min(last.wait * 2, AVOID_LONGEST);
}
