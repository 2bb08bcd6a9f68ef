/**
 * Requests that were accepted, which holds as long as the store's data is of the same edition: no age decides. What refuses
 * mail is not remembered, because it has to be younger than the request; so an attack with unknown names pushes no real
 * user out either.
 */

export interface MemoryCounts {
  readonly hits: number;
  readonly misses: number;
  readonly entries: number;
}

/** Octets of a request that is worth remembering: the longest address (RFC 5321 section 4.5.3.1) and a map's name. */
const REQUEST_MAX = 400;
/** Remembering has its price: it has to save at least one look-up in so many. */
const WORTHWHILE = 5;
/** Requests, in terms of the size: for how many the memory is tried, and for how many it rests if it does not pay. */
const TRIAL = 2;
const REST = 40;

export class VerdictMemory {
  readonly #size: number;
  /** Two generations: what is not asked for again while the younger one fills is forgotten with the older one. */
  #younger = new Set<string>();
  #older = new Set<string>();
  #edition: number | null = null;
  #hits = 0;
  #misses = 0;
  #isResting: boolean;
  /** Requests since it is tried, or since it rests, and those that were known. */
  #asked = 0;
  #known = 0;

  /** @param size of a generation: so many verdicts are kept for certain, and twice as many at most; 0 is none */
  constructor(size: number) {
    this.#size = size;
    this.#isResting = size === 0;
  }

  /** null: it has no use, since nobody can tell when the store's data changes. */
  get counts(): MemoryCounts | null {
    if (this.#edition === null) return null;
    return { hits: this.#hits, misses: this.#misses, entries: this.#younger.size + this.#older.size };
  }

  /** Whether the next request is to be looked for; to be asked once for each. */
  isAwake(): boolean {
    if (++this.#asked >= this.#size * (this.#isResting ? REST : TRIAL)) this.#reconsider();
    return !this.#isResting;
  }

  /** Whether it was accepted. @param edition of the store's data now; null: it cannot be told at the moment */
  has(request: string, edition: number | null): boolean {
    if (edition === null) return false;
    if (edition !== this.#edition) this.#turnTo(edition);
    const isKnown = this.#younger.has(request) || this.#rejuvenate(request);
    if (isKnown) {
      this.#hits++;
      this.#known++;
    } else {
      this.#misses++;
    }
    return isKnown;
  }

  /** It was accepted. @param edition when it was looked for: what comes later may be of another one */
  keep(request: string, edition: number | null): void {
    if (edition === null || edition !== this.#edition || request.length > REQUEST_MAX) return;
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

  #rejuvenate(request: string): boolean {
    const isKnown = this.#older.has(request);
    if (isKnown) this.keep(request, this.#edition);
    return isKnown;
  }

  #turnTo(edition: number): void {
    this.#edition = edition;
    this.clear();
  }

  #reconsider(): void {
    this.#isResting = this.#size === 0 || (!this.#isResting && this.#known * WORTHWHILE < this.#asked);
    this.#asked = 0;
    this.#known = 0;
    if (this.#isResting) this.clear();
  }
}
