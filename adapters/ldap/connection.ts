/**
 * One session with a directory server, from its socket to its end, never to a second one: what was lost with it (TLS,
 * the bind) cannot come back by itself, and a search can never run as somebody else. Operations are multiplexed by
 * their message id.
 *
 * The library encodes the requests. Its client is not used: it reconnects silently and anonymously, ignores
 * derefAliases, takes a size limit for success, and its parser never returns from some malformed entries.
 */
import type { Socket } from "node:net";
import {
  AbandonRequest,
  type BindRequest,
  ExtendedRequest,
  type Filter,
  PresenceFilter,
  SearchRequest,
  UnbindRequest,
} from "ldapts";
import { type Deadline, Deadlines } from "../../src/store/kit/deadlines.ts";
import { StoreError } from "../../src/store/store.ts";
import { type LdapResponse, type LdapResult, type Operation, ResponseReader, type SearchEntry } from "./response.ts";

export interface SearchQuery {
  readonly base: string;
  readonly scope: "sub" | "one" | "base";
  readonly derefAliases: "search" | "find" | "always" | "never";
  readonly filter: Filter;
  /** Never empty, which would mean all. */
  readonly attributes: readonly string[];
  readonly sizeLimit: number;
  /** Seconds. */
  readonly timeLimit: number;
}

export interface SearchAnswer {
  readonly result: LdapResult;
  readonly entries: readonly SearchEntry[];
  /** Where the search would have to go on. */
  readonly references: readonly string[];
}

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
  /** How many entries were asked for; a server that sends more is not to be trusted. */
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
  #lastHeard = performance.now();
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
    socket.on("data", this.#hear);
    socket.on("error", this.#suffer);
    socket.on("close", this.#notice);
    if (socket.destroyed) this.#notice();
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
    const { base, scope, derefAliases, filter, attributes, sizeLimit, timeLimit } = query;
    const request = new SearchRequest({
      messageId: 0,
      baseDN: base,
      scope,
      derefAliases,
      filter,
      attributes: [...attributes],
      sizeLimit,
      timeLimit,
    });
    return this.#perform("search", request, sizeLimit);
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
    if (this.#reader.pending > 0) throw this.#nonsense("more than an answer came before TLS");
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

  readonly #hear = (chunk: Buffer): void => {
    this.#lastHeard = performance.now();
    try {
      for (const response of this.#reader.read(chunk)) {
        if (this.#failure === null) this.#take(response);
      }
    } catch (error) {
      this.#distrust(error instanceof Error ? error.message : String(error));
    }
  };

  readonly #suffer = (error: Error): void => {
    this.end(new StoreError("unavailable", `${this.uri}: ${error.message}`, { cause: error }));
  };

  readonly #notice = (): void => {
    this.end(new StoreError("unavailable", `${this.uri}: the connection was closed`));
  };

  #take(response: LdapResponse): void {
    if (response.id === 0) {
      // Notice of Disconnection, RFC 4511 section 4.4.1.
      const words = response.kind === "result" && response.message !== "" ? `: ${response.message}` : "";
      this.end(new StoreError("unavailable", `${this.uri}: the server takes its leave${words}`));
      return;
    }
    const pending = this.#pending.get(response.id);
    if (pending === undefined) {
      // Answers to what was given up still come. Any other may be a part of one that would then look complete without it.
      if (!this.#abandoned.has(response.id)) this.#distrust(`an answer to ${response.id}, which is not being asked`);
      return;
    }
    if (response.kind === "result" && response.operation === pending.operation) {
      this.#finish(pending);
      pending.resolve({ result: response, entries: pending.entries, references: pending.references });
    } else if (response.kind === "reference" && pending.operation === "search") {
      pending.references.push(...response.uris);
    } else if (response.kind === "entry" && pending.entries.length < pending.entriesMax) {
      pending.entries.push(response);
    } else {
      this.#distrust(`an answer (${response.kind}) that was not asked for`);
    }
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
    } else if (this.#lastHeard < pending.sentAt) {
      pending.reject(silent);
      this.end(new StoreError("unavailable", `${this.uri}: the server has fallen silent`));
      return;
    } else {
      this.#abandon(pending);
    }
    pending.reject(silent);
  }

  #abandon(pending: PendingOperation): void {
    this.#write(new AbandonRequest({ messageId: this.#nextId(), abandonId: pending.id }));
    const [oldest] = this.#abandoned;
    if (this.#abandoned.size >= ABANDONED_MAX && oldest !== undefined) this.#abandoned.delete(oldest);
    this.#abandoned.add(pending.id);
    this.#finish(pending);
  }

  /** Nothing that the server says now can be trusted. */
  #distrust(nonsense: string): void {
    this.end(this.#nonsense(nonsense));
  }

  #nonsense(nonsense: string): StoreError {
    return new StoreError("invalid-data", `${this.uri}: the server talks nonsense: ${nonsense}`);
  }

  /** A search that every server allows; without an answer the connection ends by its deadline. */
  #probe(): void {
    if (performance.now() - this.#lastHeard >= KEEP_ALIVE / 2) this.search(rootQuery).catch(() => {});
  }

  #release(): void {
    clearInterval(this.#keepAlive);
    this.#socket.off("data", this.#hear);
    this.#socket.off("close", this.#notice);
  }

  #nextId(): number {
    this.#lastId = this.#lastId === ID_MAX ? 1 : this.#lastId + 1;
    return this.#lastId;
  }
}

/** The root DSE (RFC 4512 section 5.1), without any attribute. */
export const rootQuery: SearchQuery = {
  base: "",
  scope: "base",
  derefAliases: "never",
  filter: new PresenceFilter({ attribute: "objectClass" }),
  attributes: ["1.1"],
  sizeLimit: 1,
  timeLimit: 0,
};
