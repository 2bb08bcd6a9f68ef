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

/** The slowest requests of late. */
export class Slowest {
  #requests: SlowRequest[] = [];
  /** A request that is faster is none of the slowest, which is all there is to say of almost every one. */
  #threshold = 0;
  /** When the oldest of them ceases to be recent. */
  #until = Number.POSITIVE_INFINITY;

  /** Whether a request that took so long has to be told. */
  concerns(milliseconds: number, now: number): boolean {
    return milliseconds > this.#threshold || now >= this.#until;
  }

  tell(request: SlowRequest): void {
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
