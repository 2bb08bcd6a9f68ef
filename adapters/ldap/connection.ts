/**
 * One session with a directory server. Never reconnects: TLS and bind state cannot be lost without ending the
 * connection, so a search never runs under another identity. Operations are multiplexed by message id.
 *
 * The library (ldapts) encodes the requests. Its client is not used: it reconnects silently and anonymously, ignores
 * derefAliases and reports an exceeded size limit as success. Responses are decoded here (response.ts), because the
 * library's parser takes a missing result code for success, keeps bytes that arrived in clear text across StartTLS, and
 * never returns from some malformed entries.
 */
import type { Socket } from "node:net";
import { AbandonRequest, type BindRequest, ExtendedRequest, UnbindRequest } from "ldapts";
import { type Deadline, Deadlines } from "../../src/store/kit/index.ts";
import { StoreError } from "../../src/store/store.ts";
import { type LdapResponse, type LdapResult, type Operation, ResponseReader, type SearchEntry } from "./response.ts";
import { SIZE_LIMIT_EXCEEDED } from "./result.ts";
import { rootQuery, type SearchAnswer, type SearchQuery, searchRequest } from "./search-query.ts";

/**
 * Limit of operations in flight; further ones are queued. slapd closes an anonymous connection that has more than 100
 * pending (conn_max_pending).
 */
const IN_FLIGHT_MAX = 64;
/** Limit of remembered message ids of abandoned operations, whose responses may still arrive. The oldest is dropped. */
const ABANDONED_MAX = 1_000;
/** Interval of the probes on an idle connection, milliseconds. */
const KEEP_ALIVE = 60_000;
/** Greatest message id, RFC 4511 section 4.1.1. */
const ID_MAX = 2 ** 31 - 1;

/** The part of the library's requests that is used here. */
interface Request {
  messageId: number;
  write(): Buffer;
}

interface PendingOperation {
  readonly operation: Operation;
  readonly request: Request;
  /** Number of entries requested; a further one ends the search. */
  readonly entriesMax: number;
  readonly entries: SearchEntry[];
  readonly references: string[];
  readonly resolve: (answer: SearchAnswer) => void;
  readonly reject: (error: StoreError) => void;
  readonly deadline: Deadline;
  /** Time of sending by performance.now(); 0 while the operation is queued. */
  sentAt: number;
  id: number;
}

export class LdapConnection {
  readonly uri: string;
  /** Called once when the connection has ended, for any reason. */
  onEnd: (() => void) | null = null;
  readonly #socket: Socket;
  readonly #reader = new ResponseReader();
  readonly #deadlines: Deadlines;
  readonly #timeout: number;
  readonly #pending = new Map<number, PendingOperation>();
  readonly #waiting: PendingOperation[] = [];
  /** Message ids of abandoned operations. */
  readonly #abandoned = new Set<number>();
  readonly #keepAlive: NodeJS.Timeout;
  #lastId = 0;
  #lastResponse = performance.now();
  #outgoing: Buffer[] = [];
  #isRetiring = false;
  #failure: StoreError | null = null;

  /** Takes ownership of a connected socket. @param timeout of each operation, milliseconds */
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

  /** Number of unfinished operations, queued ones included. */
  get load(): number {
    return this.#pending.size + this.#waiting.length;
  }

  get hasEnded(): boolean {
    return this.#failure !== null;
  }

  /**
   * Resolves with all entries, references and the result, whatever its code. Rejects with StoreError without a result.
   */
  search(query: SearchQuery): Promise<SearchAnswer> {
    return this.#perform("search", searchRequest(query), query.sizeLimit);
  }

  /** Sends a bind request. Resolves with the result, whatever its code. Rejects with StoreError without a result. */
  async bind(request: BindRequest): Promise<LdapResult> {
    return (await this.#perform("bind", request)).result;
  }

  /** Sends an extended request (RFC 4511 section 4.12). Resolves and rejects as `bind` does. */
  async extend(oid: string): Promise<LdapResult> {
    return (await this.#perform("extended", new ExtendedRequest({ messageId: 0, oid }))).result;
  }

  /** Detaches from the socket so that TLS can start on it. Throws StoreError. */
  releaseForTls(): void {
    // Data in clear text after the StartTLS response is not authenticated and may have been injected.
    if (this.#reader.pending > 0) throw this.#protocolError("data after the StartTLS response and before TLS");
    this.#failure ??= new StoreError("internal", `${this.uri}: the socket was handed over to TLS`);
    this.#detach();
  }

  /** Ends the connection once all operations have finished. */
  retire(): void {
    this.#isRetiring = true;
    if (this.load === 0) this.end();
  }

  /** Ends the connection now; unfinished operations reject with the reason. Idempotent. */
  end(reason = new StoreError("closed", "ldap: the store is closed")): void {
    if (this.#failure !== null) return;
    this.#failure = reason;
    this.#detach();
    if (reason.code === "closed") {
      this.#write(new UnbindRequest({ messageId: this.#nextId() }));
      this.#flush();
      this.#socket.destroySoon();
      // A server that does not read the unbind request must not keep the process alive.
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

  /** Coalesces the messages of one turn of the event loop into one write to the socket. */
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
      const details = response.kind === "result" && response.message !== "" ? `: ${response.message}` : "";
      this.end(new StoreError("unavailable", `${this.uri}: the server sent Notice of Disconnection${details}`));
      return;
    }
    const pending = this.#pending.get(response.id);
    if (pending === undefined) {
      // Responses to abandoned operations may still arrive. Any other unknown response may belong to an operation in
      // flight, which would look complete without it.
      if (!this.#abandoned.has(response.id)) this.#failProtocol(`response with unknown message id ${response.id}`);
      return;
    }
    if (response.kind === "result" && response.operation === pending.operation) {
      this.#settle(pending, response);
    } else if (response.kind === "reference" && pending.operation === "search") {
      pending.references.push(...response.uris);
    } else if (response.kind === "entry" && pending.operation === "search") {
      pending.entries.push(response);
      if (pending.entries.length > pending.entriesMax) this.#truncate(pending);
    } else {
      this.#failProtocol(`unexpected response of type ${response.kind}`);
    }
  }

  #settle(pending: PendingOperation, result: LdapResult): void {
    this.#finish(pending);
    const { entries, references, sentAt, resolve } = pending;
    resolve({ result, entries, references, duration: performance.now() - sentAt });
  }

  /**
   * Ends a search with sizeLimitExceeded at the first surplus entry. Some servers (Samba 4.17) ignore the size limit,
   * and further entries would not change the outcome.
   */
  #truncate(pending: PendingOperation): void {
    const { id } = pending;
    this.#abandon(pending);
    const message = "the server sent more entries than requested";
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

  /** Deadline of an operation: abandons it, or ends the connection if no response at all arrived since it was sent. */
  #expire(pending: PendingOperation): void {
    const timedOut = new StoreError("timeout", `${this.uri}: no answer within ${this.#timeout} ms`);
    if (pending.sentAt === 0) {
      this.#waiting.splice(this.#waiting.indexOf(pending), 1);
    } else if (this.#lastResponse < pending.sentAt) {
      pending.reject(timedOut);
      this.end(new StoreError("unavailable", `${this.uri}: no response, connection closed`));
      return;
    } else {
      this.#abandon(pending);
      this.#finish(pending);
    }
    pending.reject(timedOut);
  }

  #abandon(pending: PendingOperation): void {
    this.#write(new AbandonRequest({ messageId: this.#nextId(), abandonId: pending.id }));
    const [oldest] = this.#abandoned;
    if (this.#abandoned.size >= ABANDONED_MAX && oldest !== undefined) this.#abandoned.delete(oldest);
    this.#abandoned.add(pending.id);
  }

  /** Ends the connection, because the octets after a protocol error cannot be interpreted. */
  #failProtocol(problem: string): void {
    this.end(this.#protocolError(problem));
  }

  #protocolError(problem: string): StoreError {
    return new StoreError("invalid-data", `${this.uri}: protocol error: ${problem}`);
  }

  /** Sends a search of the root DSE on an idle connection; without a response its deadline ends the connection. */
  #probe(): void {
    if (performance.now() - this.#lastResponse >= KEEP_ALIVE / 2) this.search(rootQuery).catch(() => {});
  }

  #detach(): void {
    clearInterval(this.#keepAlive);
    this.#socket.off("data", this.#onData);
    this.#socket.off("close", this.#onClose);
  }

  #nextId(): number {
    this.#lastId = this.#lastId === ID_MAX ? 1 : this.#lastId + 1;
    return this.#lastId;
  }
}
