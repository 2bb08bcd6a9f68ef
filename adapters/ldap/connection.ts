/**
 * One session with a directory server, from its socket to its end, never to a second one: what was lost with it (TLS,
 * the bind) cannot come back by itself, and a search can never run as somebody else. Operations are multiplexed by
 * their message id.
 *
 * The library encodes the requests. Its client is not used: it reconnects silently and anonymously, ignores
 * derefAliases, takes a size limit for success, and its parser never returns from some malformed entries.
 */
import type { Socket } from "node:net";
import { AbandonRequest, type BindRequest, ExtendedRequest, UnbindRequest } from "ldapts";
import { type Deadline, Deadlines } from "../../src/store/kit/index.ts";
import { StoreError } from "../../src/store/store.ts";
import { type LdapResponse, type LdapResult, type Operation, ResponseReader, type SearchEntry } from "./response.ts";
import { SIZE_LIMIT_EXCEEDED } from "./result.ts";
import { rootQuery, type SearchAnswer, type SearchQuery, searchRequest } from "./search-query.ts";

/**
 * Operations under way at once; the others wait. slapd closes an anonymous connection that has more than 100 pending
 * (conn_max_pending).
 */
const IN_FLIGHT_MAX = 64;
/** Operations given up whose answers may still come; those before them have had time enough. */
const ABANDONED_MAX = 1_000;
/** Milliseconds of silence after which we ask whether the server is still there. */
const KEEP_ALIVE = 60_000;
/** Greatest message id, RFC 4511 section 4.1.1. */
const ID_MAX = 2 ** 31 - 1;

/** A request of the library, as far as we are concerned. */
interface Request {
  messageId: number;
  write(): Buffer;
}

interface PendingOperation {
  readonly operation: Operation;
  readonly request: Request;
  /** How many entries were asked for; one more ends the search. */
  readonly entriesMax: number;
  readonly entries: SearchEntry[];
  readonly references: string[];
  readonly resolve: (answer: SearchAnswer) => void;
  readonly reject: (error: StoreError) => void;
  readonly deadline: Deadline;
  /** On the clock of performance.now(); 0 while it waits for others. */
  sentAt: number;
  id: number;
}

export class LdapConnection {
  readonly uri: string;
  /** Called once when it has ended, for whatever reason. */
  onEnd: (() => void) | null = null;
  readonly #socket: Socket;
  readonly #reader = new ResponseReader();
  readonly #deadlines: Deadlines;
  readonly #timeout: number;
  readonly #pending = new Map<number, PendingOperation>();
  readonly #waiting: PendingOperation[] = [];
  /** Ids of operations that were given up. */
  readonly #abandoned = new Set<number>();
  readonly #keepAlive: NodeJS.Timeout;
  #lastId = 0;
  #lastResponse = performance.now();
  #outgoing: Buffer[] = [];
  #isRetiring = false;
  #failure: StoreError | null = null;

  /** Takes over a connected socket. @param timeout of each operation, milliseconds */
  constructor(socket: Socket, uri: string, timeout: number) {
    this.uri = uri;
    this.#socket = socket;
    this.#timeout = timeout;
    this.#deadlines = new Deadlines(timeout);
    this.#keepAlive = setInterval(() => this.#probe(), KEEP_ALIVE);
    this.#keepAlive.unref();
    socket.on("data", this.#onData);
    socket.on("error", this.#onError);
    socket.on("close", this.#onClose);
    if (socket.destroyed) this.#onClose();
  }

  /** Operations that are not finished. */
  get load(): number {
    return this.#pending.size + this.#waiting.length;
  }

  get hasEnded(): boolean {
    return this.#failure !== null;
  }

  /** Every entry, reference and the result, whatever that is. Rejects with StoreError where there is no result. */
  search(query: SearchQuery): Promise<SearchAnswer> {
    return this.#perform("search", searchRequest(query), query.sizeLimit);
  }

  /** A bind; the result, whatever that is. Rejects with StoreError where there is none. */
  async bind(request: BindRequest): Promise<LdapResult> {
    return (await this.#perform("bind", request)).result;
  }

  /** An extended operation (RFC 4511 section 4.12); rejects likewise. */
  async extend(oid: string): Promise<LdapResult> {
    return (await this.#perform("extended", new ExtendedRequest({ messageId: 0, oid }))).result;
  }

  /** Lets go of the socket, for TLS to take it over. Throws StoreError. */
  handOver(): void {
    // What came in clear text behind the last answer may be anybody's.
    if (this.#reader.pending > 0) throw this.#protocolError("more than an answer came before TLS");
    this.#failure ??= new StoreError("internal", `${this.uri}: the socket is in other hands`);
    this.#release();
  }

  /** Ends it after what is under way. */
  retire(): void {
    this.#isRetiring = true;
    if (this.load === 0) this.end();
  }

  /** Ends it now; what is under way rejects with the reason. Idempotent. */
  end(reason = new StoreError("closed", "ldap: the store is closed")): void {
    if (this.#failure !== null) return;
    this.#failure = reason;
    this.#release();
    if (reason.code === "closed") {
      this.#write(new UnbindRequest({ messageId: this.#nextId() }));
      this.#flush();
      this.#socket.destroySoon();
      // A server that does not take it must not keep the process alive.
      this.#socket.unref();
    } else {
      this.#socket.destroy();
    }
    const unfinished = [...this.#pending.values(), ...this.#waiting];
    this.#pending.clear();
    this.#waiting.length = 0;
    for (const { deadline, reject } of unfinished) {
      this.#deadlines.remove(deadline);
      reject(reason);
    }
    this.onEnd?.();
  }

  #perform(operation: Operation, request: Request, entriesMax = 0): Promise<SearchAnswer> {
    return new Promise((resolve, reject) => {
      if (this.#failure !== null) {
        reject(this.#failure);
        return;
      }
      const deadline = this.#deadlines.add(() => this.#expire(pending));
      const pending: PendingOperation = {
        operation,
        request,
        entriesMax,
        entries: [],
        references: [],
        resolve,
        reject,
        deadline,
        sentAt: 0,
        id: 0,
      };
      if (this.#pending.size < IN_FLIGHT_MAX) this.#send(pending);
      else this.#waiting.push(pending);
    });
  }

  #send(pending: PendingOperation): void {
    pending.id = this.#nextId();
    pending.sentAt = performance.now();
    pending.request.messageId = pending.id;
    this.#pending.set(pending.id, pending);
    this.#write(pending.request);
  }

  /** What is written in one turn of the event loop leaves in one piece. */
  #write(message: Request): void {
    if (this.#outgoing.length === 0) setImmediate(() => this.#flush());
    this.#outgoing.push(message.write());
  }

  #flush(): void {
    const [first, ...others] = this.#outgoing;
    this.#outgoing = [];
    if (first === undefined || this.#socket.destroyed) return;
    this.#socket.write(others.length === 0 ? first : Buffer.concat([first, ...others]));
  }

  readonly #onData = (chunk: Buffer): void => {
    this.#lastResponse = performance.now();
    try {
      for (const response of this.#reader.read(chunk)) {
        if (this.#failure === null) this.#onResponse(response);
      }
    } catch (error) {
      this.#failProtocol(error instanceof Error ? error.message : String(error));
    }
  };

  readonly #onError = (error: Error): void => {
    this.end(new StoreError("unavailable", `${this.uri}: ${error.message}`, { cause: error }));
  };

  readonly #onClose = (): void => {
    this.end(new StoreError("unavailable", `${this.uri}: the connection was closed`));
  };

  #onResponse(response: LdapResponse): void {
    if (response.id === 0) {
      // Notice of Disconnection, RFC 4511 section 4.4.1.
      const words = response.kind === "result" && response.message !== "" ? `: ${response.message}` : "";
      this.end(new StoreError("unavailable", `${this.uri}: the server sent Notice of Disconnection${words}`));
      return;
    }
    const pending = this.#pending.get(response.id);
    if (pending === undefined) {
      // Answers to abandoned operations still arrive. Any other may be part of one that would look complete without it.
      if (!this.#abandoned.has(response.id))
        this.#failProtocol(`an answer to ${response.id}, which is not being asked`);
      return;
    }
    if (response.kind === "result" && response.operation === pending.operation) {
      this.#settle(pending, response);
    } else if (response.kind === "reference" && pending.operation === "search") {
      pending.references.push(...response.uris);
    } else if (response.kind === "entry" && pending.operation === "search") {
      pending.entries.push(response);
      if (pending.entries.length > pending.entriesMax) this.#cutShort(pending);
    } else {
      this.#failProtocol(`an answer (${response.kind}) that was not asked for`);
    }
  }

  #settle(pending: PendingOperation, result: LdapResult): void {
    this.#finish(pending);
    const { entries, references, sentAt, resolve } = pending;
    resolve({ result, entries, references, duration: performance.now() - sentAt });
  }

  /** Some servers (Samba 4.17) ignore the size limit: the first surplus entry says all that such an answer can say. */
  #cutShort(pending: PendingOperation): void {
    const { id } = pending;
    this.#abandon(pending);
    const message = "the server sent more entries than asked for";
    this.#settle(pending, {
      kind: "result",
      id,
      operation: "search",
      code: SIZE_LIMIT_EXCEEDED,
      message,
      referrals: [],
    });
  }

  #finish(pending: PendingOperation): void {
    this.#deadlines.remove(pending.deadline);
    this.#pending.delete(pending.id);
    const next = this.#waiting.shift();
    if (next !== undefined) this.#send(next);
    else if (this.#isRetiring && this.load === 0) this.end();
  }

  /** The server took too long: with this operation alone, or it says nothing any more. */
  #expire(pending: PendingOperation): void {
    const silent = new StoreError("timeout", `${this.uri}: no answer within ${this.#timeout} ms`);
    if (pending.sentAt === 0) {
      this.#waiting.splice(this.#waiting.indexOf(pending), 1);
    } else if (this.#lastResponse < pending.sentAt) {
      pending.reject(silent);
      this.end(new StoreError("unavailable", `${this.uri}: no response, connection closed`));
      return;
    } else {
      this.#abandon(pending);
      this.#finish(pending);
    }
    pending.reject(silent);
  }

  #abandon(pending: PendingOperation): void {
    this.#write(new AbandonRequest({ messageId: this.#nextId(), abandonId: pending.id }));
    const [oldest] = this.#abandoned;
    if (this.#abandoned.size >= ABANDONED_MAX && oldest !== undefined) this.#abandoned.delete(oldest);
    this.#abandoned.add(pending.id);
  }

  /** Ends the connection: after a protocol error no octet that follows can be interpreted. */
  #failProtocol(problem: string): void {
    this.end(this.#protocolError(problem));
  }

  #protocolError(problem: string): StoreError {
    return new StoreError("invalid-data", `${this.uri}: protocol error: ${problem}`);
  }

  /** A search that every server allows; without an answer the connection ends by its deadline. */
  #probe(): void {
    if (performance.now() - this.#lastResponse >= KEEP_ALIVE / 2) this.search(rootQuery).catch(() => {});
  }

  #release(): void {
    clearInterval(this.#keepAlive);
    this.#socket.off("data", this.#onData);
    this.#socket.off("close", this.#onClose);
  }

  #nextId(): number {
    this.#lastId = this.#lastId === ID_MAX ? 1 : this.#lastId + 1;
    return this.#lastId;
  }
}
