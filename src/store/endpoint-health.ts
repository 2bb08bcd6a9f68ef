/**
 * Which servers of a store have lately been left because they accept connections and then answer that they cannot serve:
 * busy, unavailable, a replica that is being initialised. Shared by all connections of a store.
 */

/**
 * Milliseconds. A server that is taken again and fails at once is left for longer each time. The first is a little less
 * than the time between attempts to fail back, so that the resolution of timers does not skip one.
 */
const AVOID_FIRST = 29_500;
const AVOID_LONGEST = 600_000;

interface Avoidance {
  readonly wait: number;
  /** On the clock of performance.now(). */
  readonly until: number;
  /** When it was used again, on the same clock; null: not yet. */
  takenAt: number | null;
}

export class EndpointHealth {
  readonly #avoided = new Map<string, Avoidance>();

  /** Records that a server was left because another one answered what it could not. */
  left(server: string): void {
    const wait = nextWait(this.#avoided.get(server), performance.now());
    this.#avoided.set(server, { wait, until: performance.now() + wait, takenAt: null });
  }

  /** Records that a server is used. */
  taken(server: string): void {
    const avoidance = this.#avoided.get(server);
    if (avoidance !== undefined) avoidance.takenAt ??= performance.now();
  }

  /** Whether a server should be used only where no other can be. */
  isAvoided(server: string): boolean {
    const avoidance = this.#avoided.get(server);
    return avoidance !== undefined && performance.now() < avoidance.until;
  }
}

/** A server that has served for as long as it was avoided before has recovered: the next fault is a first one. */
function nextWait(last: Avoidance | undefined, now: number): number {
  if (last === undefined || (last.takenAt !== null && now - last.takenAt > last.wait)) return AVOID_FIRST;
  // Several connections leave a server for the same fault.
  return now < last.until ? last.wait : Math.min(last.wait * 2, AVOID_LONGEST);
}
