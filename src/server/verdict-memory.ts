/**
 * Verdicts by request, each good as long as the store's data is of the same edition: no age decides, so none of them is
 * ever outdated. Absences are not remembered, so an attack with unknown names pushes no real user out.
 */
import type { Verdict } from "../engine/verdict.ts";

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
const REST = 10;

export class VerdictMemory {
  readonly #size: number;
  /** Two generations: what is not asked for again while the younger one fills is forgotten with the older one. */
  #younger = new Map<string, Verdict>();
  #older = new Map<string, Verdict>();
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

  /** @param edition of the store's data now; null: it cannot be told at the moment, so nothing is known */
  find(request: string, edition: number | null): Verdict | undefined {
    if (edition === null) return undefined;
    if (edition !== this.#edition) this.#turnTo(edition);
    const verdict = this.#younger.get(request) ?? this.#rejuvenate(request);
    if (verdict === undefined) {
      this.#misses++;
    } else {
      this.#hits++;
      this.#known++;
    }
    return verdict;
  }

  /** @param edition when the request was looked for: what comes later may be of another one */
  keep(request: string, verdict: Verdict, edition: number | null): void {
    if (edition === null || edition !== this.#edition) return;
    if (verdict === "absent" || request.length > REQUEST_MAX) return;
    if (this.#younger.size >= this.#size) {
      this.#older = this.#younger;
      this.#younger = new Map();
    }
    this.#younger.set(request, verdict);
  }

  clear(): void {
    if (this.#younger.size > 0) this.#younger = new Map();
    if (this.#older.size > 0) this.#older = new Map();
  }

  #rejuvenate(request: string): Verdict | undefined {
    const verdict = this.#older.get(request);
    if (verdict !== undefined) this.keep(request, verdict, this.#edition);
    return verdict;
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
