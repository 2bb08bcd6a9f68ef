/** All listening sockets and all connections of the daemon. */
import type { Limits } from "../config/limits.ts";
import { NetstringDecoder } from "../engine/netstring.ts";
import { PolicyDecoder } from "../engine/policy-request.ts";
import type { ConnectionReport } from "../metrics/report.ts";
import { Rarely } from "../store/kit/throttled-log.ts";
import type { Log } from "../store/store.ts";
import { Admission, type Visitor } from "./admission.ts";
import {
  type Client,
  Connection,
  type ConnectionOptions,
  type RequestDecoder,
  type RequestResponder,
} from "./connection.ts";
import { Roster } from "./connection-set.ts";
import {
  type Listener,
  type ListenSource,
  listen,
  type Protocol,
  type ServedSocket,
  type SocketRights,
} from "./listener.ts";
import { Places } from "./request-slots.ts";
import { Sweep, ticksOf } from "./timeout-sweep.ts";

/** What may change while the server runs: a new configuration replaces it whole. */
export interface ServerSettings {
  readonly responder: RequestResponder;
  readonly policyResponder: RequestResponder;
  readonly limits: Limits;
}

/** Who counts connections. */
export interface ServerWatch {
  /** A client was accepted. */
  opened(): void;
  /** The last client is gone. */
  emptied(): void;
}

/** Said of a client that is dropped. */
const SLOW = "clients are dropped that take too long to send a request or to read replies";
/** Ticks that a client may keep bytes waiting where there are too many of them. */
const SHORT_PATIENCE = 1;

export class Server {
  readonly #log: Log;
  readonly #watch: ServerWatch | null;
  #settings: ServerSettings | null;
  readonly #listeners: (Listener & { readonly protocol: Protocol })[] = [];
  readonly #connections = new Roster<Connection>();
  readonly #places = new Places(Number.POSITIVE_INFINITY);
  readonly #sweep = new Sweep(() => this.#look());
  readonly #rarely: Rarely;
  readonly #admission: Admission;
  /** What connections have in common with those before; made when wanted. */
  #options: Partial<Record<Protocol, ConnectionOptions>> = {};
  /** What all connections kept waiting at the last tick, in octets. */
  #bytes = 0;
  /** Milliseconds of silence after which a client is let go; null: we are not about to end. */
  #silence: number | null = null;
  #isClosing = false;
  #closing: NodeJS.Timeout | undefined;
  #whenEmpty: (() => void)[] = [];
  #accepted = 0;
  #dropped = 0;

  /** @param settings null: they come later, and clients wait for them */
  constructor(settings: ServerSettings | null, log: Log, watch: ServerWatch | null = null) {
    this.#settings = null;
    this.#log = log;
    this.#watch = watch;
    this.#rarely = new Rarely(log);
    this.#admission = new Admission({
      clock: this.#sweep,
      log: this.#rarely,
      serve: (visitor) => this.#serve(visitor),
      onGone: () => this.#left(),
    });
    if (settings !== null) this.settings = settings;
  }

  /** Where it listens: PATH or HOST:PORT. */
  get addresses(): readonly string[] {
    return this.#listeners.map((listener) => listener.name);
  }

  /** What it listens on. */
  get sockets(): readonly ServedSocket[] {
    return this.#listeners.map(({ fd, name, protocol }) => ({ fd, name, protocol }));
  }

  get connectionCounts(): ConnectionReport {
    const { size: open } = this.#connections;
    const { waiting, refused } = this.#admission;
    return { open, waiting, accepted: this.#accepted, refused, dropped: this.#dropped };
  }

  get settings(): ServerSettings {
    if (this.#settings === null) throw new Error("the server has no settings yet");
    return this.#settings;
  }

  /** From the next request on. What a connection by itself may do is settled at its beginning. */
  set settings(settings: ServerSettings) {
    this.#settings = settings;
    this.#options = {};
    this.#places.resize(settings.limits.requestsMax);
    this.#admission.limits = settings.limits;
  }

  /** @param rights of unix sockets' files; @throws ConfigError where an address cannot be had */
  async listen(
    sources: readonly ListenSource[],
    rights: SocketRights,
    protocol: Protocol = "socketmap",
  ): Promise<void> {
    const key = protocol === "socketmap" ? "smmap_listen" : "smmap_policy_listen";
    for (const source of sources) {
      const onConnection = (client: Client) => this.welcome(client, protocol);
      const onAcceptError = (error: Error) =>
        this.#rarely.warn(key, `a client could not be accepted: ${error.message}`);
      const listener = await listen(source, { key, rights, onConnection, onAcceptError, isBufferShared: true });
      this.#listeners.push({ ...listener, protocol });
    }
  }

  /** Serves a client, now or when it is its turn. */
  welcome(client: Client, protocol: Protocol = "socketmap"): void {
    if (this.#isClosing) {
      client.destroy();
      return;
    }
    this.#accepted++;
    this.#watch?.opened();
    this.#admission.enter(client, protocol);
    this.#sweep.start();
  }

  /**
   * Accepts no more, lets each client go that has been silent for so many milliseconds, and the others after `timeout`
   * milliseconds. Resolves when the last one is gone. May be called again, to hurry.
   */
  async drain(silence: number, timeout: number): Promise<void> {
    this.#stopListening();
    this.#silence = silence;
    for (const connection of this.#connections) connection.finishWhenSilent(silence);
    clearTimeout(this.#closing);
    if (Number.isFinite(timeout)) this.#closing = setTimeout(() => void this.close(), timeout);
    await this.#emptied();
  }

  /** Accepts no more, answers what was read, and resolves when the last connection is gone. */
  async close(): Promise<void> {
    // Whoever is accepted already gets a proper end, not a connection that is cut.
    this.#stopListening();
    this.#isClosing = true;
    this.#admission.close();
    for (const connection of this.#connections) connection.finish();
    await this.#emptied();
  }

  #stopListening(): void {
    for (const listener of this.#listeners.splice(0)) listener.close();
  }

  async #emptied(): Promise<void> {
    if (!this.#isEmpty()) await new Promise<void>((resolve) => this.#whenEmpty.push(resolve));
    clearTimeout(this.#closing);
  }

  #isEmpty(): boolean {
    return this.#connections.size === 0 && this.#admission.waiting === 0;
  }

  #serve(visitor: Visitor): void {
    const { client, protocol } = visitor;
    const connection = new Connection(client, this.#decoderFor(protocol), this.#optionsFor(protocol));
    this.#connections.add(connection);
    this.#log.debug("accepted connection");
    if (this.#silence !== null) connection.finishWhenSilent(this.#silence);
    client.once("close", () => {
      this.#connections.delete(connection);
      this.#admission.leave(visitor);
      this.#left();
    });
  }

  #decoderFor(protocol: Protocol): RequestDecoder {
    const { requestMax } = this.settings.limits;
    return protocol === "socketmap" ? new NetstringDecoder(requestMax) : new PolicyDecoder(requestMax);
  }

  #optionsFor(protocol: Protocol): ConnectionOptions {
    this.#options[protocol] ??= {
      limits: this.settings.limits,
      places: this.#places,
      clock: this.#sweep,
      responder: protocol === "socketmap" ? () => this.settings.responder : () => this.settings.policyResponder,
    };
    return this.#options[protocol];
  }

  /** At each tick. @returns false: nobody is there */
  #look(): boolean {
    if (this.#settings === null) return true;
    const { bytesMax, requestTimeout } = this.#settings.limits;
    const patience = this.#bytes > bytesMax ? SHORT_PATIENCE : ticksOf(requestTimeout);
    const before = this.#dropped;
    this.#bytes = 0;
    for (const connection of this.#connections) {
      if (connection.expire(patience) === "slow") this.#dropped++;
      else this.#bytes += connection.bytes;
    }
    if (this.#dropped > before) this.#rarely.warn("smmap_request_timeout", SLOW);
    this.#admission.expire();
    return !this.#isEmpty();
  }

  #left(): void {
    if (!this.#isEmpty()) return;
    this.#watch?.emptied();
    for (const resolve of this.#whenEmpty.splice(0)) resolve();
  }
}
