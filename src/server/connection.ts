/**
 * One client: bytes in, replies out in the order of the requests, look-ups overlapping. Reading pauses while the queue
 * is full or the client does not read its replies, so neither can grow without bound.
 */
import type { Duplex } from "node:stream";
import { ProtocolError } from "../engine/netstring.ts";
import { Lookup } from "../store/lookup.ts";
import { StoreError } from "../store/store.ts";
import { clientName } from "./audit.ts";
import { atEndOfTurn } from "./outbox.ts";

/** A socket, or what serves as one. */
export type Client = Duplex & {
  readonly remoteAddress?: string | undefined;
  /** "timeout" is emitted after so many milliseconds without traffic; 0 is never. */
  setTimeout(milliseconds: number): unknown;
};

/** Cuts what a client sends into requests. All but `write` throw ProtocolError. */
export interface RequestDecoder {
  /** Adds a chunk. It must not be changed afterwards. */
  write(chunk: Buffer): void;
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

export interface ConnectionOptions {
  readonly decoder: RequestDecoder;
  /** Milliseconds without a byte from the client until it is dropped; 0 is never. */
  readonly idleTimeout: number;
  /** Asked for at each request, so that a new configuration counts at once. */
  readonly responder: () => RequestResponder;
}

/** A request whose reply is not sent yet. */
interface Place {
  readonly lookup: Lookup;
  reply: string | null;
}

/** Requests of one connection that may wait for a store at a time. */
const QUEUE_MAX = 64;
/** Characters of replies that are gathered for one write. */
const GATHER_MAX = 64 * 1024;
/** Milliseconds for the client to read our last words and close its side. */
const LINGER = 2_000;

export class Connection {
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
    if (this.#socket.write(replies, "latin1")) return;
    this.#isBlocked = true;
    if (this.#isFinishing) this.#linger();
    this.#pauseOrResume();
  };
  /** The socket has taken in as much as it likes; wait for "drain". */
  #isBlocked = false;
  /** The client has closed its side. */
  #hasEnded = false;
  /** Nothing more is decoded: the stream is at its end, or broken. */
  #isFinal = false;
  /** The server is closing: the stream ends with what was read. */
  #isFinishing = false;
  /** The server is closing, as soon as the client is silent. */
  #isLeaving = false;
  #isSilent = false;
  #fault: string | null = null;
  #lingering: NodeJS.Timeout | undefined;

  constructor(socket: Client, options: ConnectionOptions) {
    this.#socket = socket;
    this.#options = options;
    this.#decoder = options.decoder;
    this.#client = clientName(socket.remoteAddress);
    socket.setTimeout(options.idleTimeout);
    socket.on("data", (chunk: Buffer) => this.#read(chunk));
    socket.on("end", () => this.#readEnd());
    socket.on("drain", () => this.#drained());
    socket.on("timeout", () => this.#timedOut());
    // "close" follows, and a client that resets its connection is nobody's fault.
    socket.on("error", () => {});
    socket.on("close", () => this.#abandon());
  }

  /** Answers what was read, then ends. A client that does not take in its replies is dropped after a while. */
  finish(): void {
    // A paused socket has read ahead of us; this emits "data".
    if (this.#socket.isPaused()) this.#socket.read();
    this.#isFinishing = true;
    this.#decode();
    if (this.#isBlocked || this.#socket.writableEnded) this.#linger();
  }

  /** Ends once the client has asked nothing for so many milliseconds: right after a reply, its next request is under way. */
  finishWhenSilent(milliseconds: number): void {
    this.#isLeaving = true;
    this.#socket.setTimeout(milliseconds);
  }

  #timedOut(): void {
    if (!this.#isLeaving) {
      // The reply to what is still looked up starts the clock again.
      if (this.#queue.length === 0) this.#socket.destroy();
      return;
    }
    // What came while the process was busy is still unread: timers run first.
    this.#isSilent = true;
    setImmediate(() => {
      // A reply that is still due starts the clock again.
      if (this.#isSilent && !this.#isBlocked && this.#queue.length === 0) this.finish();
    });
  }

  #read(chunk: Buffer): void {
    this.#isSilent = false;
    if (this.#isFinal || this.#isFinishing) return;
    this.#decoder.write(chunk);
    this.#decode();
  }

  #readEnd(): void {
    this.#hasEnded = true;
    this.#decode();
  }

  #drained(): void {
    this.#isBlocked = false;
    clearTimeout(this.#lingering);
    this.#decode();
  }

  /** Takes requests from the decoder as long as their replies have a place to go. */
  #decode(): void {
    while (!this.#isFinal && !this.#isBlocked && this.#queue.length < QUEUE_MAX) {
      const payload = this.#nextPayload();
      if (payload === null) break;
      const reply = this.#respond(payload);
      if (reply !== null) this.#send(reply);
    }
    if (this.#hasEnded || this.#isFinal) this.#endWhenAnswered();
    this.#pauseOrResume();
  }

  #nextPayload(): string | null {
    try {
      const payload = this.#decoder.next();
      if (payload !== null) return payload;
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
    this.#send(replies);
    this.#decode();
  }

  #send(replies: string): void {
    if (this.#unsent === "") atEndOfTurn(this.#flush);
    this.#unsent += replies;
    if (this.#unsent.length >= GATHER_MAX) this.#flush();
  }

  /** Once the queue is empty: the last words, if the client broke the protocol, and our end of the connection. */
  #endWhenAnswered(): void {
    if (!this.#isFinal || this.#queue.length > 0 || this.#socket.writableEnded) return;
    this.#flush();
    if (this.#fault === null) this.#socket.end();
    else this.#socket.end(this.#fault, "latin1");
    // What the client still sends is read and thrown away: closing on unread bytes would reset our last reply away.
    if (!this.#hasEnded || this.#isFinishing) this.#linger();
  }

  #linger(): void {
    clearTimeout(this.#lingering);
    this.#lingering = setTimeout(() => this.#socket.destroy(), LINGER);
  }

  #pauseOrResume(): void {
    const wait = !this.#isFinal && (this.#isBlocked || this.#queue.length >= QUEUE_MAX);
    if (wait !== this.#socket.isPaused()) {
      if (wait) this.#socket.pause();
      else this.#socket.resume();
    }
  }

  #abandon(): void {
    clearTimeout(this.#lingering);
    // An error with its stack costs more than the rest of a short connection.
    if (this.#queue.length === 0) return;
    const gone = new StoreError("closed", "the client is gone");
    for (const { lookup } of this.#queue) lookup.abort(gone);
    this.#queue = [];
  }
}
