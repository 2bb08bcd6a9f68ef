import type { Reason } from "./reply-counts.ts";

export interface SlowRequest {
  /** As received: a byte string. */
  readonly key: string;
  readonly map: string;
  readonly reason: Reason;
  readonly milliseconds: number;
  /** When it was answered, on the clock of performance.now(). */
  readonly at: number;
}

const COUNT = 10;
/** Milliseconds for which a slow request is recent. */
const RECENT = 10 * 60_000;
/** Octets of a key that are kept. */
const KEY_MAX = 256;

/** The slowest of the recent requests. */
export class Slowest {
  #requests: SlowRequest[] = [];
  /** Milliseconds: requests up to this are not among the slowest. Almost all requests need only this comparison. */
  #threshold = 0;
  /** When the oldest of them stops being recent. */
  #until = Number.POSITIVE_INFINITY;

  /** Whether a request of this duration may be among the slowest, and must be passed to `add`. */
  qualifies(milliseconds: number, now: number): boolean {
    return milliseconds > this.#threshold || now >= this.#until;
  }

  add(request: SlowRequest): void {
    const kept = [...this.list(request.at), { ...request, key: request.key.slice(0, KEY_MAX) }];
    kept.sort((a, b) => b.milliseconds - a.milliseconds);
    this.#requests = kept.slice(0, COUNT);
    this.#threshold = this.#requests[COUNT - 1]?.milliseconds ?? 0;
    this.#until = Math.min(...this.#requests.map(({ at }) => at)) + RECENT;
  }

  /** Slowest first. */
  list(now: number): readonly SlowRequest[] {
    return this.#requests.filter(({ at }) => now - at < RECENT);
  }
}
