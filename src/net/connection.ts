/**
 * One client connection: reads requests, overlaps their look-ups, and sends the replies in the order of the requests.
 * Reading pauses while the reply queue is full, the client does not read its replies, or the tick budget is used up,
 * so the memory of a connection is bounded.
 */
import type { Duplex } from "node:stream";
import type { Limits } from "../config/limits.ts";
import { ProtocolError } from "../engine/netstring.ts";
import type { Semaphore, SlotWaiter } from "../store/kit/semaphore.ts";
import { Lookup } from "../store/lookup.ts";
import { StoreError } from "../store/store.ts";
import { clientName } from "./client-address.ts";
import type { Indexed } from "./connection-set.ts";
import { ReplyQueue } from "./reply-queue.ts";
import type { RequestDecoder, RequestHandler } from "./request-handler.ts";
import { deferToNextTick, onTickEnd, type Resumable, tick } from "./tick-scheduler.ts";
import { type SweepClock, sweepsIn } from "./timeout-sweep.ts";

/** A socket, or a stream with the same events. */
export type Client = Duplex & {
  readonly remoteAddress?: string | undefined;
  /** Makes the stream emit "timeout" after so many milliseconds without traffic; 0: never. */
  setTimeout(milliseconds: number): unknown;
};

/** Options shared by all connections of a protocol. */
export interface ConnectionOptions {
  /** A connection keeps the limits that it began with. */
  readonly limits: Limits;
  /** Slots for requests in flight, of all connections together. */
  readonly requestSlots: Semaphore;
  readonly clock: SweepClock;
  /** Called for each request, so that a new configuration applies at once. */
  readonly handler: () => RequestHandler;
}

/** Why a connection is closed: the client stalled within a request or a reply, or was idle between requests. */
export type TimeoutReason = "stalled" | "idle";

/** Requests of one connection that are answered in one tick of the event loop. */
const REQUESTS_PER_TICK = 64;
/** In place of a time on the clock of sweeps: not applicable. */
const NEVER = -1;
/** Milliseconds for the client to read the last reply and close its side. */
const LINGER = 2_000;

export class Connection implements Resumable, Indexed, SlotWaiter {
  index = 0;
  readonly #socket: Client;
  readonly #options: ConnectionOptions;
  readonly #decoder: RequestDecoder;
  readonly #client: string;
  readonly #queue = new ReplyQueue();
  /** Replies that are written at the end of the tick. */
  #unsent = "";
  readonly #flush = (): void => {
    if (this.#unsent === "" || this.#socket.destroyed) return;
    const replies = this.#unsent;
    this.#unsent = "";
    this.#lastTraffic = this.#options.clock.now;
    // The stream asks to wait for "drain" from a lower mark on, even if the system has taken all of the data.
    const isTaken = this.#socket.write(replies, "latin1");
    if (isTaken || this.#isBlocked || this.#socket.writableLength < this.#options.limits.bytesPerConnection) return;
    this.#isBlocked = true;
    this.#unreadSince = this.#lastTraffic;
    if (this.#isFinishing) this.#linger();
    this.#pauseOrResume();
  };
  /** The client does not read: its unread replies have reached the limit, until "drain". */
  #isBlocked = false;
  /** Decoding is paused: tick budget used up, or no request slot free. `resume` or `onSlot` will be called. */
  #isDeferred = false;
  /** When decoding was paused, on the clock of sweeps. */
  #deferredSince = NEVER;
  /** The tick to which #tickBudget belongs. */
  #tick = -1;
  /** Requests that may still be answered in this tick. */
  #tickBudget = 0;
  /** When an incomplete request began, on the clock of sweeps, or NEVER. */
  #incompleteSince = NEVER;
  /** Since when nothing happens until the client reads or closes, on the clock of sweeps, or NEVER. */
  #unreadSince = NEVER;
  #lastTraffic: number;
  /** There is input that the decoder has not been asked for. */
  #hasInput = false;
  /** The client has closed its side. */
  #hasEnded = false;
  /** Nothing more is decoded: end of the input, or protocol error. */
  #isFinal = false;
  /** The server is closing: the connection ends after the requests that were read. */
  #isFinishing = false;
  /** The server is draining, and the client has been idle for the time of `finishWhenIdle`. */
  #isIdle = false;
  /** The reply to a protocol error. */
  #fault: string | null = null;
  #lingerTimer: NodeJS.Timeout | undefined;

  constructor(socket: Client, decoder: RequestDecoder, options: ConnectionOptions) {
    this.#socket = socket;
    this.#options = options;
    this.#decoder = decoder;
    this.#client = clientName(socket.remoteAddress);
    this.#lastTraffic = options.clock.now;
    socket.on("data", (chunk: Buffer) => this.#onData(chunk));
    socket.on("end", () => this.#onEnd());
    socket.on("drain", () => this.#onDrain());
    socket.on("timeout", () => this.#onTimeout());
    // "close" follows; a reset by the client is no failure of the server.
    socket.on("error", () => {});
    socket.on("close", () => this.#onClose());
  }

  /** Octets of memory held for the client, without the requests whose look-ups are in flight. */
  get bytes(): number {
    const { readableLength, writableLength } = this.#socket;
    return this.#decoder.pending + readableLength + this.#unsent.length + writableLength;
  }

  /** Closes the connection if a time-out has passed. @param maxStall sweeps that the client may stall; @returns why, if so */
  checkTimeouts(maxStall: number): TimeoutReason | null {
    const reason = this.#timeoutReason(maxStall);
    if (reason !== null) this.#socket.destroy();
    return reason;
  }

  #timeoutReason(maxStall: number): TimeoutReason | null {
    if (this.#socket.destroyed) return null;
    const { clock, limits } = this.#options;
    if (this.#unreadSince !== NEVER) return clock.now - this.#unreadSince > maxStall ? "stalled" : null;
    // Time in which the server defers input or looks up is not the client's; the reply restarts the clock.
    if (this.#isDeferred) return null;
    if (this.#incompleteSince !== NEVER) return clock.now - this.#incompleteSince > maxStall ? "stalled" : null;
    if (this.#queue.size > 0) return null;
    return clock.now - this.#lastTraffic > sweepsIn(limits.idleTimeout) ? "idle" : null;
  }

  /** Answers what was read, then ends the connection; after LINGER even if the client does not read its replies. */
  finish(): void {
    // A paused socket may have read ahead; this emits "data".
    if (this.#socket.isPaused()) this.#socket.read();
    this.#isFinishing = true;
    this.#hasInput = true;
    this.#decode();
    if (this.#isBlocked || this.#socket.writableEnded) this.#linger();
  }

  /** Ends the connection once the client has been idle for so long: right after a reply, its next request is under way. */
  finishWhenIdle(milliseconds: number): void {
    this.#socket.setTimeout(milliseconds);
  }

  /** The time of `finishWhenIdle` has passed. The time-outs of normal operation are the sweep's. */
  #onTimeout(): void {
    // Timers run before input is read: what arrived while the process was busy is still unread.
    this.#isIdle = true;
    setImmediate(() => {
      // A pending reply restarts the timer.
      if (this.#isIdle && !this.#isBlocked && this.#queue.size === 0) this.finish();
    });
  }

  #onData(chunk: Buffer): void {
    this.#isIdle = false;
    this.#lastTraffic = this.#options.clock.now;
    if (this.#isFinal || this.#isFinishing) return;
    this.#decoder.write(chunk);
    this.#hasInput = true;
    this.#decode();
    this.#decoder.keep();
  }

  #onEnd(): void {
    this.#hasEnded = true;
    this.#hasInput = true;
    this.#decode();
  }

  #onDrain(): void {
    this.#isBlocked = false;
    this.#unreadSince = NEVER;
    clearTimeout(this.#lingerTimer);
    this.#decode();
  }

  /** Continues decoding in a new tick. */
  resume(): void {
    this.#isDeferred = false;
    if (!this.#socket.destroyed) this.#decode();
  }

  /** Decodes one request, for which a slot is free. */
  onSlot(): void {
    this.#isDeferred = false;
    // The wait for a slot does not count as time of an incomplete request.
    if (this.#incompleteSince !== NEVER) this.#incompleteSince += this.#options.clock.now - this.#deferredSince;
    if (this.#hasRoom()) this.#answerNext();
    this.#decode();
  }

  /** Answers requests while the tick budget, the slots and the limits of the connection allow. */
  #decode(): void {
    while (this.#mayDecode() && this.#answerNext());
    if (this.#hasEnded || this.#isFinal) this.#endWhenAnswered();
    this.#pauseOrResume();
  }

  #hasRoom(): boolean {
    return !this.#isFinal && !this.#isBlocked && this.#queue.size < this.#options.limits.requestsPerConnection;
  }

  #mayDecode(): boolean {
    if (!this.#hasInput || this.#isDeferred || !this.#hasRoom()) return false;
    // There is no request, but #nextRequest has to notice the end of the input.
    if (this.#decoder.pending === 0) return true;
    if (this.#tick !== tick) {
      this.#tick = tick;
      this.#tickBudget = REQUESTS_PER_TICK;
    }
    const { requestSlots } = this.#options;
    if (this.#tickBudget > 0 && requestSlots.isFree) {
      this.#tickBudget--;
      return true;
    }
    this.#isDeferred = true;
    this.#deferredSince = this.#options.clock.now;
    if (requestSlots.isFree) deferToNextTick(this);
    else requestSlots.enqueue(this);
    return false;
  }

  /** Answers one request. @returns false: there is none */
  #answerNext(): boolean {
    const request = this.#nextRequest();
    if (request === null) return false;
    const reply = this.#respond(request);
    if (reply !== null) this.#send(reply);
    return true;
  }

  #nextRequest(): string | null {
    try {
      const request = this.#decoder.next();
      if (request !== null) {
        this.#incompleteSince = NEVER;
        return request;
      }
      this.#hasInput = false;
      if (this.#incompleteSince === NEVER && this.#decoder.pending > 0) this.#incompleteSince = this.#options.clock.now;
      if (this.#hasEnded) this.#decoder.end();
      this.#isFinal = this.#hasEnded || this.#isFinishing;
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.#isFinal = true;
      this.#fault = this.#options.handler().refuse(error.message, this.#client);
    }
    return null;
  }

  /** The reply, if it can be sent now; null: it was added to the queue. */
  #respond(request: string): string | null {
    const lookup = new Lookup();
    const reply = this.#options.handler().respond(request, lookup, this.#client);
    const isReady = typeof reply === "string";
    if (isReady && this.#queue.size === 0) return reply;
    const pending = this.#queue.add(lookup, isReady ? reply : null);
    this.#options.requestSlots.acquire();
    if (!isReady) {
      void reply.then((text) => {
        pending.reply = text;
        this.#sendReady();
      });
    }
    return null;
  }

  /** Sends the replies at the head of the queue that are ready. */
  #sendReady(): void {
    const { count, text } = this.#queue.takeReady();
    if (count === 0) return;
    this.#options.requestSlots.release(count);
    this.#send(text);
    this.#decode();
  }

  #send(replies: string): void {
    if (this.#unsent === "") onTickEnd(this.#flush);
    this.#unsent += replies;
    if (this.#unsent.length >= this.#options.limits.bytesPerConnection) this.#flush();
  }

  /** Ends the connection once the queue is empty, after the reply to a protocol error if there was one. */
  #endWhenAnswered(): void {
    if (!this.#isFinal || this.#queue.size > 0 || this.#socket.writableEnded) return;
    this.#flush();
    // The kernel has all replies, and no unread input can come that would reset the connection: it may be closed at once.
    if (this.#hasEnded && this.#fault === null && this.#socket.writableLength === 0) {
      this.#socket.destroy();
      return;
    }
    if (this.#fault === null) this.#socket.end();
    else this.#socket.end(this.#fault, "latin1");
    this.#unreadSince = this.#options.clock.now;
    // Further input is read and discarded: closing with unread input would reset the connection and lose the last reply.
    if (!this.#hasEnded || this.#isFinishing) this.#linger();
  }

  #linger(): void {
    clearTimeout(this.#lingerTimer);
    this.#lingerTimer = setTimeout(() => this.#socket.destroy(), LINGER);
  }

  #pauseOrResume(): void {
    const wait = !this.#isFinal && (this.#isDeferred || !this.#hasRoom());
    if (wait !== this.#socket.isPaused()) {
      if (wait) this.#socket.pause();
      else this.#socket.resume();
    }
  }

  #onClose(): void {
    clearTimeout(this.#lingerTimer);
    this.#isFinal = true;
    if (this.#isDeferred) this.#options.requestSlots.cancel(this);
    const { size } = this.#queue;
    // Creating an error with its stack costs more than the rest of a short connection.
    if (size === 0) return;
    this.#queue.abort(new StoreError("closed", "the client has closed the connection"));
    this.#options.requestSlots.release(size);
  }
}
