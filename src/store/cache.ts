/**
 * Keeps what a store said for a while. Failures are never kept, equal look-ups in flight are one, and absences live in a
 * bounded place of their own, so that an attack with unknown names pushes no real user out.
 *
 * While the store fails or keeps us waiting, a positive answer that has grown old may still be given
 * (smmap_cache_stale_ttl); an old absence never is.
 */
import { LRUCache } from "lru-cache";
import { decide } from "../engine/verdict.ts";
import type { FactSource } from "./fact-source.ts";
import { Deadlines } from "./kit/deadlines.ts";
import { WaitingLine } from "./kit/semaphore.ts";
import { Lookup } from "./lookup.ts";
import { type Log, type MailboxFacts, type MailboxId, StoreError } from "./store.ts";

export interface CacheSettings {
  /** Mailboxes kept, and as many absences besides. */
  readonly size: number;
  /** Milliseconds that existence without a limit is good for. */
  readonly ttl: number;
  /** Milliseconds, for a mailbox within its limits: usage moves faster than existence. */
  readonly quotaTtl: number;
  /** Milliseconds, for every answer that refuses mail: absent, over quota, no right to post. */
  readonly negativeTtl: number;
  /** Milliseconds beyond its time in which a positive answer may stand in for one that fails or is late; 0: not at all. */
  readonly staleTtl: number;
}

export interface CacheContext {
  /** Milliseconds for a whole look-up, the same as those of the store. */
  readonly timeout: number;
  /** Look-ups that get on at the same time in the store, as its capabilities say. */
  readonly concurrency?: number | undefined;
  readonly log: Log;
}

/** What has become of the look-ups so far. */
export interface CacheCounts {
  readonly hits: number;
  readonly misses: number;
  /** Old answers given while the store failed. */
  readonly stale: number;
  /** Look-ups that waited for an equal one. */
  readonly joined: number;
  readonly entries: number;
}

interface Entry {
  readonly facts: MailboxFacts;
  /** On the clock of performance.now(). */
  readonly goodUntil: number;
}

/**
 * Look-ups at a time, at most, for names that are not remembered as being there. The others wait here and not in the
 * store, where known users, whose answer has to be renewed, would wait behind all names of an attack.
 */
const STRANGERS_MAX = 64;
/** And at least, though the store sees to fewer: where it fails, that many find out together (smmap_breaker_failures). */
const STRANGERS_MIN = 8;
/** Part of a look-up's time after which an old answer may stand in: Exim waits but 5 s, hardly longer than a look-up. */
const PATIENCE = 0.25;
/** Milliseconds in which the use of old answers is told once. */
const REPEAT_AFTER = 10_000;

export class CachedStore implements FactSource {
  readonly #store: FactSource;
  readonly #settings: CacheSettings;
  readonly #timeout: number;
  readonly #deadlines: Deadlines;
  readonly #patience: Deadlines;
  readonly #log: Log;
  readonly #present: LRUCache<string, Entry>;
  readonly #absent: LRUCache<string, Entry>;
  readonly #inFlight = new Map<string, Promise<MailboxFacts>>();
  /** Look-ups of names that we do not know to be there. */
  readonly #strangers: WaitingLine;
  /** Moves on with each purge: what was asked before it is not kept. */
  #generation = 0;
  #hits = 0;
  #misses = 0;
  #stale = 0;
  #joined = 0;
  #toldAt = Number.NEGATIVE_INFINITY;
  /** When an old answer last had to stand in for one that was waited for, and none has come from the store since. */
  #silentSince = Number.NEGATIVE_INFINITY;

  constructor(store: FactSource, settings: CacheSettings, { timeout, concurrency, log }: CacheContext) {
    this.#store = store;
    this.#settings = settings;
    this.#timeout = timeout;
    this.#deadlines = new Deadlines(timeout);
    this.#patience = new Deadlines(timeout * PATIENCE);
    const strangers = Math.min(concurrency ?? STRANGERS_MAX, STRANGERS_MAX);
    this.#strangers = new WaitingLine(Math.max(strangers, STRANGERS_MIN));
    this.#log = log;
    this.#present = new LRUCache({ max: settings.size });
    this.#absent = new LRUCache({ max: settings.size });
  }

  get name(): string {
    return this.#store.name;
  }

  get counts(): CacheCounts {
    const entries = this.#present.size + this.#absent.size;
    return { hits: this.#hits, misses: this.#misses, stale: this.#stale, joined: this.#joined, entries };
  }

  lookup(mailbox: MailboxId): MailboxFacts | Promise<MailboxFacts> {
    const key = keyOf(mailbox);
    const entry = this.#entry(key);
    if (entry !== undefined && isGood(entry)) {
      this.#hits++;
      return entry.facts;
    }
    const underWay = this.#inFlight.get(key);
    if (underWay !== undefined) {
      this.#joined++;
      return this.#inTime(this.#join(key, mailbox, underWay), () => {});
    }
    this.#misses++;
    return this.#askFor(key, mailbox, entry);
  }

  /** What is given from here may be older than what the store's edition says. */
  edition(): null {
    return null;
  }

  ping(lookup: Lookup): Promise<void> {
    return this.#store.ping(lookup);
  }

  retire(): Promise<void> {
    return this.#store.retire();
  }

  close(): Promise<void> {
    return this.#store.close();
  }

  /** Forgets all mailboxes, or one; one that is asked for without a detail together with all its details. */
  purge(mailbox?: MailboxId): void {
    this.#generation++;
    this.#inFlight.clear();
    for (const cache of [this.#present, this.#absent]) {
      if (mailbox === undefined) cache.clear();
      else for (const key of keysOf(mailbox, cache)) cache.delete(key);
    }
  }

  #entry(key: string): Entry | undefined {
    return this.#present.get(key) ?? this.#absent.get(key);
  }

  /**
   * Waits for a look-up that began before this one was wanted. Its answer may be older than the question, so that it
   * would refuse mail to a mailbox made in between: unless it may be remembered, a refusal is asked for again. Whatever is
   * under way by then has begun late enough.
   */
  async #join(key: string, mailbox: MailboxId, underWay: Promise<MailboxFacts>): Promise<MailboxFacts> {
    const facts = await underWay;
    const entry = this.#entry(key);
    const isKept = entry?.facts === facts && isGood(entry);
    if (isKept || decide(mailbox, facts) === "accept") return facts;
    return this.#inFlight.get(key) ?? this.#askFor(key, mailbox, entry);
  }

  /** All that a question may have to wait for has one deadline. */
  #inTime(answer: Promise<MailboxFacts>, giveUp: () => void): Promise<MailboxFacts> {
    return new Promise((resolve, reject) => {
      const deadline = this.#deadlines.add(() => {
        giveUp();
        reject(new StoreError("timeout", `${this.name}: no answer within ${this.#timeout} ms`));
      });
      answer.then(resolve, reject).finally(() => this.#deadlines.remove(deadline));
    });
  }

  /** Asks the store: at once for who is known, and for strangers when it is their turn. */
  #askFor(key: string, mailbox: MailboxId, old: Entry | undefined): MailboxFacts | Promise<MailboxFacts> {
    if (old?.facts.exists === true) return this.#ask(key, mailbox, old);
    return this.#strangers.isFree ? this.#askForStranger(key, mailbox, old) : this.#askInTurn(key, mailbox);
  }

  #askForStranger(key: string, mailbox: MailboxId, old: Entry | undefined): MailboxFacts | Promise<MailboxFacts> {
    const answer = this.#ask(key, mailbox, old);
    if (answer instanceof Promise) {
      const leave = () => this.#strangers.give();
      this.#strangers.take();
      answer.then(leave, leave);
    }
    return answer;
  }

  #askInTurn(key: string, mailbox: MailboxId): Promise<MailboxFacts> {
    let proceed = () => {};
    const answer = new Promise<MailboxFacts>((resolve) => {
      proceed = () => resolve(this.#proceed(key, mailbox));
    });
    this.#strangers.wait(proceed);
    return this.#inTime(answer, () => this.#strangers.forget(proceed));
  }

  /** After waiting. What others have asked for the same mailbox meanwhile has begun late enough. */
  async #proceed(key: string, mailbox: MailboxId): Promise<MailboxFacts> {
    const entry = this.#entry(key);
    if (entry !== undefined && isGood(entry)) return entry.facts;
    return this.#inFlight.get(key) ?? this.#askForStranger(key, mailbox, entry);
  }

  #ask(key: string, mailbox: MailboxId, old: Entry | undefined): MailboxFacts | Promise<MailboxFacts> {
    try {
      // Of its own: others may wait for the answer when the client that asked first is gone. The deadline bounds it.
      const answer = this.#store.lookup(mailbox, new Lookup());
      if (!(answer instanceof Promise)) return this.#keep(key, mailbox, answer);
      const renewed = this.#awaitAnswer(key, mailbox, answer, old);
      const shared = this.#mayStandIn(mailbox, old) ? this.#orOld(renewed, old) : renewed;
      this.#inFlight.set(key, shared);
      return shared;
    } catch (error) {
      return this.#makeDo(mailbox, old, error);
    }
  }

  /** The old answer if the new one takes long, or others just did. The new one is still waited for, to be kept. */
  #orOld(renewed: Promise<MailboxFacts>, old: Entry): Promise<MailboxFacts> {
    const standIn = () => {
      this.#noteOld(old, "it does not answer");
      return old.facts;
    };
    if (performance.now() - this.#silentSince < this.#timeout) {
      // The guard has told of it if it fails.
      renewed.catch(() => {});
      return Promise.resolve(standIn());
    }
    const generation = this.#generation;
    return new Promise((resolve, reject) => {
      const deadline = this.#patience.add(() => {
        if (generation !== this.#generation) return;
        this.#silentSince = performance.now();
        resolve(standIn());
      });
      renewed.then(resolve, reject).finally(() => this.#patience.remove(deadline));
    });
  }

  async #awaitAnswer(
    key: string,
    mailbox: MailboxId,
    answer: Promise<MailboxFacts>,
    old: Entry | undefined,
  ): Promise<MailboxFacts> {
    const generation = this.#generation;
    try {
      const facts = await answer;
      return generation === this.#generation ? this.#keep(key, mailbox, facts) : facts;
    } catch (error) {
      return this.#makeDo(mailbox, generation === this.#generation ? old : undefined, error);
    } finally {
      if (generation === this.#generation) this.#inFlight.delete(key);
    }
  }

  #keep(key: string, mailbox: MailboxId, facts: MailboxFacts): MailboxFacts {
    this.#silentSince = Number.NEGATIVE_INFINITY;
    const isRefusal = decide(mailbox, facts) !== "accept";
    const time = isRefusal ? this.#settings.negativeTtl : this.#timeToAccept(facts);
    // A refusal is of no use beyond its time, and by default it has none: an attack leaves nothing behind.
    const isKept = time > 0 || !isRefusal;
    const [home, other] = facts.exists ? [this.#present, this.#absent] : [this.#absent, this.#present];
    other.delete(key);
    if (isKept) home.set(key, { facts, goodUntil: performance.now() + time });
    else home.delete(key);
    return facts;
  }

  #timeToAccept(facts: MailboxFacts): number {
    const { ttl, quotaTtl } = this.#settings;
    return facts.exists && facts.quotas.length > 0 ? quotaTtl : ttl;
  }

  /** Whether there is an old answer that takes mail and is not too old. */
  #mayStandIn(mailbox: MailboxId, old: Entry | undefined): old is Entry {
    const isYoung = old !== undefined && performance.now() < old.goodUntil + this.#settings.staleTtl;
    return isYoung && decide(mailbox, old.facts) === "accept";
  }

  /** An old answer in place of a failure, if there is one; else the failure. */
  #makeDo(mailbox: MailboxId, old: Entry | undefined, error: unknown): MailboxFacts {
    const isClosed = error instanceof StoreError && error.code === "closed";
    if (isClosed || !this.#mayStandIn(mailbox, old)) throw error;
    this.#noteOld(old, "it fails");
    return old.facts;
  }

  #noteOld({ goodUntil }: Entry, reason: string): void {
    this.#stale++;
    const now = performance.now();
    if (now - this.#toldAt < REPEAT_AFTER) return;
    this.#toldAt = now;
    const age = Math.ceil((now - goodUntil) / 1000);
    this.#log.warning(`${this.name}: ${reason}, so an answer is given that should have been renewed ${age} s ago`);
  }
}

/** Whether it may still be given. */
function isGood(entry: Entry): boolean {
  return performance.now() < entry.goodUntil;
}

/** All that an answer can depend on. The length keeps a "+" in a domain apart from the one before a detail. */
function keyOf({ address, detail }: MailboxId): string {
  const own = `${address.length}:${address}`;
  return detail === null ? own : `${own}+${detail}`;
}

/** Its keys in a cache: the owner of a folder may well share a quota with it. */
function keysOf(mailbox: MailboxId, cache: LRUCache<string, Entry>): readonly string[] {
  const own = keyOf(mailbox);
  if (mailbox.detail !== null) return [own];
  return [own, ...[...cache.keys()].filter((key) => key.startsWith(`${own}+`))];
}
