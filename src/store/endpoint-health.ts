/**
 * Which servers of a store have lately been left because they accept connections and then answer that they cannot serve:
 * busy, unavailable, a replica that is being initialised. Shared by all connections of a store.
 */

/** Milliseconds. A server that is taken again and fails at once is left for longer each time. */
const AVOID_FIRST = 30_000;
const AVOID_LONGEST = 600_000;

interface Avoidance {
  wait: number;
  /** On the clock of performance.now(). */
  until: number;
}

export class EndpointHealth {
  readonly #avoided = new Map<string, Avoidance>();

  /** Records that a server was left because another one answered what it could not. */
  left(server: string): void {
    const now = performance.now();
    const last = this.#avoided.get(server);
    this.#avoided.set(server, avoidanceAfter(last, now));
  }

  /** Whether a server should be used only where no other can be. */
  isAvoided(server: string): boolean {
    const avoidance = this.#avoided.get(server);
    return avoidance !== undefined && performance.now() < avoidance.until;
  }
}

/** A server that has served for as long as it was avoided before has recovered: the next fault is a first one. */
function avoidanceAfter(last: Avoidance | undefined, now: number): Avoidance {
  if (last === undefined || now - last.until > last.wait) return { wait: AVOID_FIRST, until: now + AVOID_FIRST };
  // Several connections leave a server for the same fault.
  const wait = now < last.until ? last.wait : Math.min(last.wait * 2, AVOID_LONGEST);
  return { wait, until: now + wait };
}
