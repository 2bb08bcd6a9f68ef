/** All listening sockets and client connections of a process. */
import type { Limits } from "../config/limits.ts";
import { NetstringDecoder } from "../engine/netstring.ts";
import { PolicyDecoder } from "../engine/policy-request.ts";
import type { ConnectionReport } from "../metrics/report.ts";
import { Semaphore } from "../store/kit/semaphore.ts";
import { ThrottledLog } from "../store/kit/throttled-log.ts";
import type { Log } from "../store/store.ts";
import { Admission, type PendingClient } from "./admission.ts";
import { type Client, Connection, type ConnectionOptions } from "./connection.ts";
import { ConnectionSet } from "./connection-set.ts";
import {
  type Listener,
  type ListenSource,
  listen,
  type Protocol,
  type ServedSocket,
  type SocketRights,
} from "./listener.ts";
import type { RequestDecoder, RequestHandler } from "./request-handler.ts";
import { deferToNextTick } from "./tick-scheduler.ts";
import { sweepsIn, TimeoutSweep } from "./timeout-sweep.ts";

/** What the server needs of a service: the handler of each protocol, and the limits. */
export interface ServerSettings {
  readonly socketmap: RequestHandler;
  readonly policy: RequestHandler;
  readonly limits: Limits;
}

/** The settings in force. They are read on each use, so a swap takes effect from the next request on. */
export interface SettingsSource {
  /** null: there are none yet, and clients wait. */
  readonly current: ServerSettings | null;
  /** Calls a listener after each swap. */
  onSwap(listener: (settings: ServerSettings) => void): void;
}

/** Is notified of connections. */
export interface ConnectionObserver {
  /** A client was accepted. */
  opened(): void;
  /** The last open connection was closed. */
  idle(): void;
}

/** Log message for connections that are closed by a time-out. */
const STALLED = "connections were closed because the client took too long to send a request or to read replies";
/** Sweeps that a client may stall while smmap_bytes_max is exceeded. */
const SHORT_STALL = 1;

export class Server {
  readonly #log: Log;
  readonly #observer: ConnectionObserver | null;
  readonly #source: SettingsSource;
  readonly #listeners: (Listener & { readonly protocol: Protocol })[] = [];
  readonly #connections = new ConnectionSet<Connection>();
  readonly #requestSlots = new Semaphore(Number.POSITIVE_INFINITY, deferToNextTick);
  readonly #sweep = new TimeoutSweep(() => this.#checkTimeouts());
  readonly #throttledLog: ThrottledLog;
  readonly #admission: Admission;
  /** Options shared by all connections of a protocol; built lazily. */
  #options: Partial<Record<Protocol, ConnectionOptions>> = {};
  /** Octets held for all connections at the last sweep. */
  #bytes = 0;
  /** Milliseconds without a request after which a connection ends; null: the server is not draining. */
  #drainIdleTimeout: number | null = null;
  #isClosing = false;
  #drainTimer: NodeJS.Timeout | undefined;
  #whenEmpty: (() => void)[] = [];
  #accepted = 0;
  #dropped = 0;

  constructor(source: SettingsSource, log: Log, observer: ConnectionObserver | null = null) {
    this.#source = source;
    this.#log = log;
    this.#observer = observer;
    this.#throttledLog = new ThrottledLog(log);
    this.#admission = new Admission({
      clock: this.#sweep,
      log: this.#throttledLog,
      serve: (pending) => this.#serve(pending),
      onClose: () => this.#onConnectionClosed(),
    });
    source.onSwap((settings) => this.#apply(settings));
    if (source.current !== null) this.#apply(source.current);
  }

  /** Addresses of the listening sockets: PATH or HOST:PORT. */
  get addresses(): readonly string[] {
    return this.#listeners.map((listener) => listener.name);
  }

  get sockets(): readonly ServedSocket[] {
    return this.#listeners.map(({ fd, name, protocol }) => ({ fd, name, protocol }));
  }

  get connectionCounts(): ConnectionReport {
    const { size: open } = this.#connections;
    const { waiting, refused } = this.#admission;
    return { open, waiting, accepted: this.#accepted, refused, dropped: this.#dropped };
  }

  /** @param rights of the files of UNIX sockets; @throws ConfigError where an address cannot be bound */
  async listen(
    sources: readonly ListenSource[],
    rights: SocketRights,
    protocol: Protocol = "socketmap",
  ): Promise<void> {
    const key = protocol === "socketmap" ? "smmap_listen" : "smmap_policy_listen";
    for (const source of sources) {
      const onConnection = (client: Client) => this.accept(client, protocol);
      const onAcceptError = (error: Error) =>
        this.#throttledLog.warn(key, `accepting a connection failed: ${error.message}`);
      const listener = await listen(source, { key, rights, onConnection, onAcceptError, isBufferShared: true });
      this.#listeners.push({ ...listener, protocol });
    }
  }

  /** Serves a client that has connected, as soon as the limits allow. */
  accept(client: Client, protocol: Protocol = "socketmap"): void {
    if (this.#isClosing) {
      client.destroy();
      return;
    }
    this.#accepted++;
    this.#observer?.opened();
    this.#admission.admit(client, protocol);
    this.#sweep.start();
  }

  /**
   * Stops listening, and ends each connection once it has been idle for `idleTimeout` milliseconds, or after `timeout`
   * milliseconds. Resolves when the last one is closed. A second call replaces the times of the first.
   */
  async drain(idleTimeout: number, timeout: number): Promise<void> {
    this.#stopListening();
    this.#drainIdleTimeout = idleTimeout;
    for (const connection of this.#connections) connection.finishWhenIdle(idleTimeout);
    clearTimeout(this.#drainTimer);
    if (Number.isFinite(timeout)) this.#drainTimer = setTimeout(() => void this.close(), timeout);
    await this.#emptied();
  }

  /** Stops listening, answers what was read, and resolves when the last connection is closed. */
  async close(): Promise<void> {
    // Hands over the clients accepted so far, which are then ended properly instead of reset.
    this.#stopListening();
    this.#isClosing = true;
    this.#admission.close();
    for (const connection of this.#connections) connection.finish();
    await this.#emptied();
  }

  /** Connections keep the limits of a single connection that they began with. */
  #apply({ limits }: ServerSettings): void {
    this.#options = {};
    this.#requestSlots.resize(limits.requestsMax);
    this.#admission.limits = limits;
  }

  /** Read only while clients are served, which begins with the first settings. */
  get #settings(): ServerSettings {
    const { current } = this.#source;
    if (current === null) throw new Error("the server has no settings yet");
    return current;
  }

  #stopListening(): void {
    for (const listener of this.#listeners.splice(0)) listener.close();
  }

  async #emptied(): Promise<void> {
    if (!this.#isEmpty()) await new Promise<void>((resolve) => this.#whenEmpty.push(resolve));
    clearTimeout(this.#drainTimer);
  }

  #isEmpty(): boolean {
    return this.#connections.size === 0 && this.#admission.waiting === 0;
  }

  #serve(pending: PendingClient): void {
    const { client, protocol } = pending;
    const connection = new Connection(client, this.#decoderFor(protocol), this.#optionsFor(protocol));
    this.#connections.add(connection);
    this.#log.debug("accepted connection");
    if (this.#drainIdleTimeout !== null) connection.finishWhenIdle(this.#drainIdleTimeout);
    client.once("close", () => {
      this.#connections.delete(connection);
      this.#admission.release(pending);
      this.#onConnectionClosed();
    });
  }

  #decoderFor(protocol: Protocol): RequestDecoder {
    const { requestMax } = this.#settings.limits;
    return protocol === "socketmap" ? new NetstringDecoder(requestMax) : new PolicyDecoder(requestMax);
  }

  #optionsFor(protocol: Protocol): ConnectionOptions {
    this.#options[protocol] ??= {
      limits: this.#settings.limits,
      requestSlots: this.#requestSlots,
      clock: this.#sweep,
      handler: protocol === "socketmap" ? () => this.#settings.socketmap : () => this.#settings.policy,
    };
    return this.#options[protocol];
  }

  /** Closes connections whose time-out has passed. @returns false: there are no connections left to check */
  #checkTimeouts(): boolean {
    const { current } = this.#source;
    if (current === null) return true;
    const { bytesMax, requestTimeout } = current.limits;
    const maxStall = this.#bytes > bytesMax ? SHORT_STALL : sweepsIn(requestTimeout);
    const before = this.#dropped;
    this.#bytes = 0;
    for (const connection of this.#connections) {
      if (connection.checkTimeouts(maxStall) === "stalled") this.#dropped++;
      else this.#bytes += connection.bytes;
    }
    if (this.#dropped > before) this.#throttledLog.warn("smmap_request_timeout", STALLED);
    this.#admission.rejectOverdue();
    return !this.#isEmpty();
  }

  #onConnectionClosed(): void {
    if (!this.#isEmpty()) return;
    this.#observer?.idle();
    for (const resolve of this.#whenEmpty.splice(0)) resolve();
  }
}
