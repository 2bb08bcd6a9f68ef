/**
 * One client: bytes in, replies out in the order of the requests, look-ups overlapping. Reading pauses while the queue
 * is full, the client does not read its replies, or it is the turn of others, so nothing can grow without bound.
 */
import type { Duplex } from "node:stream";
import type { Limits } from "../config/limits.ts";
import { ProtocolError } from "../engine/netstring.ts";
import { Lookup } from "../store/lookup.ts";
import { StoreError } from "../store/store.ts";
import { clientName } from "./client-address.ts";
import type { Enrolled } from "./connection-set.ts";
import type { PlaceSeeker, Places } from "./request-slots.ts";
import { atEndOfTurn, type Continuing, inLaterTurn, turn } from "./tick-scheduler.ts";
import { type SweepClock, ticksOf } from "./timeout-sweep.ts";

/** A socket, or what serves as one. */
export type Client = Duplex & {
  readonly remoteAddress?: string | undefined;
  /** "timeout" is emitted after so many milliseconds without traffic; 0 is never. */
  setTimeout(milliseconds: number): unknown;
};

/** Cuts what a client sends into requests. All but `write` throw ProtocolError. */
export interface RequestDecoder {
  /** Octets that are waiting to be decoded. */
  readonly pending: number;
  /** Adds a chunk. It must not be changed before `keep`. */
  write(chunk: Buffer): void;
  /** Copies what is not decoded yet: the last chunk is about to be overwritten. */
  keep(): void;
  /** The next request, or null until more bytes come. */
  next(): string | null;
  /** Says that no more bytes will come. */
  end(): void;
}

/** Says what a client gets for a request. Never throws, never rejects. */
export interface RequestResponder {
  /** The reply, at once where that can be. @param client who asks, for the audit */
  respond(request: string, lookup: Lookup, client: string): string | Promise<string>;
  /** The reply to what is no request; the last one of its connection. @param fault message of the ProtocolError */
  refuse(fault: string, client: string): string;
}

/** What connections have in common. */
export interface ConnectionOptions {
  /** Those of its beginning stay with a connection. */
  readonly limits: Limits;
  readonly places: Places;
  readonly clock: SweepClock;
  /** Asked for at each request, so that a new configuration counts at once. */
  readonly responder: () => RequestResponder;
}

/** Why a client is dropped. */
export type Overdue = "slow" | "silent";

/** A request whose reply is not sent yet. */
interface Place {
  readonly lookup: Lookup;
  reply: string | null;
}

/** Requests of one connection that are answered in one turn of the event loop. */
const SHARE = 64;
/** On the clock of sweeps: it has not begun. */
const NEVER = -1;
/** Milliseconds for the client to read our last words and close its side. */
const LINGER = 2_000;

export class Connection implements Continuing, Enrolled, PlaceSeeker {
  seat = 0;
  readonly #socket: Client;
  readonly #options: ConnectionOptions;
  readonly #decoder: RequestDecoder;
  readonly #client: string;
  #queue: Place[] = [];
  /** Replies that wait for the end of the turn. */
  #unsent = "";
  readonly #flush = (): void => {
    if (this.#unsent === "" || this.#socket.destroyed) return;
    const replies = this.#unsent;
    this.#unsent = "";
    this.#lastTraffic = this.#options.clock.now;
    // A socket that has taken it all says "drain" for less than that, and then has nothing left.
    const isTaken = this.#socket.write(replies, "latin1");
    if (isTaken || this.#isBlocked || this.#socket.writableLength < this.#options.limits.bytesPerConnection) return;
    this.#isBlocked = true;
    this.#unreadSince = this.#lastTraffic;
    if (this.#isFinishing) this.#linger();
    this.#pauseOrResume();
  };
  /** As much waits for the client as may; wait for "drain". */
  #isBlocked = false;
  /** We have had our share of this turn, or others are before us: goOn or takePlace is called. */
  #isWaiting = false;
  /** On the clock of sweeps: since when. */
  #waitingSince = NEVER;
  /** The turn of which #share is left. */
  #turn = -1;
  #share = 0;
  /** On the clock of sweeps, or NEVER: a request has begun that is not whole yet. */
  #halfSince = NEVER;
  /** The same: the client has to read before anything else happens. */
  #unreadSince = NEVER;
  #lastTraffic: number;
  /** The decoder has not been emptied since something new came. */
  #hasNews = false;
  /** The client has closed its side. */
  #hasEnded = false;
  /** Nothing more is decoded: the stream is at its end, or broken. */
  #isFinal = false;
  /** The server is closing: the stream ends with what was read. */
  #isFinishing = false;
  /** The server is closing, and the client has been silent for a while. */
  #isSilent = false;
  #fault: string | null = null;
  #lingering: NodeJS.Timeout | undefined;

  constructor(socket: Client, decoder: RequestDecoder, options: ConnectionOptions) {
    this.#socket = socket;
    this.#options = options;
    this.#decoder = decoder;
    this.#client = clientName(socket.remoteAddress);
    this.#lastTraffic = options.clock.now;
    socket.on("data", (chunk: Buffer) => this.#read(chunk));
    socket.on("end", () => this.#readEnd());
    socket.on("drain", () => this.#drained());
    socket.on("timeout", () => this.#timedOut());
    // "close" follows, and a client that resets its connection is nobody's fault.
    socket.on("error", () => {});
    socket.on("close", () => this.#abandon());
  }

  /** Octets that we keep for the client, beyond the requests that are looked up. */
  get bytes(): number {
    const { readableLength, writableLength } = this.#socket;
    return this.#decoder.pending + readableLength + this.#unsent.length + writableLength;
  }

  /** Drops a client that has had its time. @param patience ticks that it may keep bytes waiting; @returns why, if so */
  expire(patience: number): Overdue | null {
    const reason = this.#overdue(patience);
    if (reason !== null) this.#socket.destroy();
    return reason;
  }

  #overdue(patience: number): Overdue | null {
    if (this.#socket.destroyed) return null;
    const { clock, limits } = this.#options;
    if (this.#unreadSince !== NEVER) return clock.now - this.#unreadSince > patience ? "slow" : null;
    // What we have not looked at is not the client's fault, and the reply to what is looked up starts the clock again.
    if (this.#isWaiting) return null;
    if (this.#halfSince !== NEVER) return clock.now - this.#halfSince > patience ? "slow" : null;
    if (this.#queue.length > 0) return null;
    return clock.now - this.#lastTraffic > ticksOf(limits.idleTimeout) ? "silent" : null;
  }

  /** Answers what was read, then ends. A client that does not take in its replies is dropped after a while. */
  finish(): void {
    // A paused socket has read ahead of us; this emits "data".
    if (this.#socket.isPaused()) this.#socket.read();
    this.#isFinishing = true;
    this.#hasNews = true;
    this.#decode();
    if (this.#isBlocked || this.#socket.writableEnded) this.#linger();
  }

  /** Ends once the client has asked nothing for so many milliseconds: right after a reply, its next request is under way. */
  finishWhenSilent(milliseconds: number): void {
    this.#socket.setTimeout(milliseconds);
  }

  /** Only when leaving; for the rest of its life the sweep looks after it. */
  #timedOut(): void {
    // What came while the process was busy is still unread: timers run first.
    this.#isSilent = true;
    setImmediate(() => {
      // A reply that is still due starts the clock again.
      if (this.#isSilent && !this.#isBlocked && this.#queue.length === 0) this.finish();
    });
  }

  #read(chunk: Buffer): void {
    this.#isSilent = false;
    this.#lastTraffic = this.#options.clock.now;
    if (this.#isFinal || this.#isFinishing) return;
    this.#decoder.write(chunk);
    this.#hasNews = true;
    this.#decode();
    this.#decoder.keep();
  }

  #readEnd(): void {
    this.#hasEnded = true;
    this.#hasNews = true;
    this.#decode();
  }

  #drained(): void {
    this.#isBlocked = false;
    this.#unreadSince = NEVER;
    clearTimeout(this.#lingering);
    this.#decode();
  }

  /** We have a share of this turn, too. */
  goOn(): void {
    this.#isWaiting = false;
    if (!this.#socket.destroyed) this.#decode();
  }

  /** There is a place for one more request. */
  takePlace(): void {
    this.#isWaiting = false;
    // Waiting was not the client's fault.
    if (this.#halfSince !== NEVER) this.#halfSince += this.#options.clock.now - this.#waitingSince;
    if (this.#hasRoom()) this.#takeNext();
    this.#decode();
  }

  /** Takes requests from the decoder as long as it is our turn and their replies have a place to go. */
  #decode(): void {
    while (this.#mayTake() && this.#takeNext());
    if (this.#hasEnded || this.#isFinal) this.#endWhenAnswered();
    this.#pauseOrResume();
  }

  #hasRoom(): boolean {
    return !this.#isFinal && !this.#isBlocked && this.#queue.length < this.#options.limits.requestsPerConnection;
  }

  #mayTake(): boolean {
    if (!this.#hasNews || this.#isWaiting || !this.#hasRoom()) return false;
    // Nothing will be taken, but somebody has to see that.
    if (this.#decoder.pending === 0) return true;
    if (this.#turn !== turn) {
      this.#turn = turn;
      this.#share = SHARE;
    }
    const { places } = this.#options;
    if (this.#share > 0 && places.isFree) {
      this.#share--;
      return true;
    }
    this.#isWaiting = true;
    this.#waitingSince = this.#options.clock.now;
    if (places.isFree) inLaterTurn(this);
    else places.seek(this);
    return false;
  }

  /** Answers one request. @returns false: none is there */
  #takeNext(): boolean {
    const payload = this.#nextPayload();
    if (payload === null) return false;
    const reply = this.#respond(payload);
    if (reply !== null) this.#send(reply);
    return true;
  }

  #nextPayload(): string | null {
    try {
      const payload = this.#decoder.next();
      if (payload !== null) {
        this.#halfSince = NEVER;
        return payload;
      }
      this.#hasNews = false;
      if (this.#halfSince === NEVER && this.#decoder.pending > 0) this.#halfSince = this.#options.clock.now;
      if (this.#hasEnded) this.#decoder.end();
      this.#isFinal = this.#hasEnded || this.#isFinishing;
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.#isFinal = true;
      this.#fault = this.#options.responder().refuse(error.message, this.#client);
    }
    return null;
  }

  /** The reply, if it can be sent now; null when it has taken a place in the queue. */
  #respond(payload: string): string | null {
    const lookup = new Lookup();
    const reply = this.#options.responder().respond(payload, lookup, this.#client);
    const isReady = typeof reply === "string";
    if (isReady && this.#queue.length === 0) return reply;
    const place: Place = { lookup, reply: isReady ? reply : null };
    this.#queue.push(place);
    this.#options.places.take();
    if (!isReady) {
      void reply.then((text) => {
        place.reply = text;
        this.#sendReady();
      });
    }
    return null;
  }

  /** Sends the replies at the head of the queue, up to the first that is still missing. */
  #sendReady(): void {
    let replies = "";
    let ready = 0;
    for (const place of this.#queue) {
      if (place.reply === null) break;
      replies += place.reply;
      ready++;
    }
    if (ready === 0) return;
    this.#queue.splice(0, ready);
    this.#options.places.give(ready);
    this.#send(replies);
    this.#decode();
  }

  #send(replies: string): void {
    if (this.#unsent === "") atEndOfTurn(this.#flush);
    this.#unsent += replies;
    if (this.#unsent.length >= this.#options.limits.bytesPerConnection) this.#flush();
  }

  /** Once the queue is empty: the last words, if the client broke the protocol, and our end of the connection. */
  #endWhenAnswered(): void {
    if (!this.#isFinal || this.#queue.length > 0 || this.#socket.writableEnded) return;
    this.#flush();
    // The system has all of our replies, and nothing will come that could reset them away: closing says both.
    if (this.#hasEnded && this.#fault === null && this.#socket.writableLength === 0) {
      this.#socket.destroy();
      return;
    }
    if (this.#fault === null) this.#socket.end();
    else this.#socket.end(this.#fault, "latin1");
    this.#unreadSince = this.#options.clock.now;
    // What the client still sends is read and thrown away: closing on unread bytes would reset our last reply away.
    if (!this.#hasEnded || this.#isFinishing) this.#linger();
  }

  #linger(): void {
    clearTimeout(this.#lingering);
    this.#lingering = setTimeout(() => this.#socket.destroy(), LINGER);
  }

  #pauseOrResume(): void {
    const wait = !this.#isFinal && (this.#isWaiting || !this.#hasRoom());
    if (wait !== this.#socket.isPaused()) {
      if (wait) this.#socket.pause();
      else this.#socket.resume();
    }
  }

  #abandon(): void {
    clearTimeout(this.#lingering);
    this.#isFinal = true;
    if (this.#isWaiting) this.#options.places.forget(this);
    // An error with its stack costs more than the rest of a short connection.
    if (this.#queue.length === 0) return;
    const gone = new StoreError("closed", "the client is gone");
    for (const { lookup } of this.#queue) lookup.abort(gone);
    this.#options.places.give(this.#queue.length);
    this.#queue = [];
  }
}
