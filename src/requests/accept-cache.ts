/**
 * Caches accepted requests while the store's data version stays the same: entries expire by change, not by age. Refusals
 * are not cached, because a refusal has to be younger than its request; so requests for unknown names evict nothing.
 */

export interface AcceptCacheCounts {
  readonly hits: number;
  readonly misses: number;
  readonly entries: number;
}

/** Octets of the longest request that is cached: the longest address (RFC 5321 section 4.5.3.1) and a map's name. */
const REQUEST_MAX = 400;
/** The cache stays enabled while at least one in this many requests is a hit: with fewer it costs more than it saves. */
const WORTHWHILE = 5;
/** Length of a trial and of the back-off after a trial that did not pay, in requests, as multiples of the cache size. */
const TRIAL = 2;
const BACKOFF = 40;

export class AcceptCache {
  readonly #size: number;
  /** Two generations: entries without a hit while the younger generation fills are evicted with the older one. */
  #younger = new Set<string>();
  #older = new Set<string>();
  #dataVersion: number | null = null;
  #hits = 0;
  #misses = 0;
  #isBackingOff: boolean;
  /** Requests and hits since the trial or the back-off began. */
  #trialRequests = 0;
  #trialHits = 0;

  /** @param size number of requests in a generation; the cache holds up to twice as many. 0: none */
  constructor(size: number) {
    this.#size = size;
    this.#isBackingOff = size === 0;
  }

  /** null: the cache is not in use, because the store has no data version. */
  get counts(): AcceptCacheCounts | null {
    if (this.#dataVersion === null) return null;
    return { hits: this.#hits, misses: this.#misses, entries: this.#younger.size + this.#older.size };
  }

  /** True if the next request is to be looked up in the cache. To be called once per request. */
  isEnabled(): boolean {
    if (++this.#trialRequests >= this.#size * (this.#isBackingOff ? BACKOFF : TRIAL)) this.#endTrial();
    return !this.#isBackingOff;
  }

  /** True if the request was accepted. @param dataVersion of the store now; null: unknown */
  has(request: string, dataVersion: number | null): boolean {
    if (dataVersion === null) return false;
    if (dataVersion !== this.#dataVersion) this.#invalidate(dataVersion);
    const isHit = this.#younger.has(request) || this.#promote(request);
    if (isHit) {
      this.#hits++;
      this.#trialHits++;
    } else {
      this.#misses++;
    }
    return isHit;
  }

  /** Adds an accepted request. @param dataVersion of the store before the look-up: the data may have changed since */
  add(request: string, dataVersion: number | null): void {
    if (dataVersion === null || dataVersion !== this.#dataVersion || request.length > REQUEST_MAX) return;
    if (this.#younger.size >= this.#size) {
      this.#older = this.#younger;
      this.#younger = new Set();
    }
    this.#younger.add(request);
  }

  clear(): void {
    if (this.#younger.size > 0) this.#younger = new Set();
    if (this.#older.size > 0) this.#older = new Set();
  }

  #promote(request: string): boolean {
    const isHit = this.#older.has(request);
    if (isHit) this.add(request, this.#dataVersion);
    return isHit;
  }

  #invalidate(dataVersion: number): void {
    this.#dataVersion = dataVersion;
    this.clear();
  }

  #endTrial(): void {
    this.#isBackingOff =
      this.#size === 0 || (!this.#isBackingOff && this.#trialHits * WORTHWHILE < this.#trialRequests);
    this.#trialRequests = 0;
    this.#trialHits = 0;
    if (this.#isBackingOff) this.clear();
  }
}
