/** All listening sockets and all connections of the daemon. */
import { NetstringDecoder } from "../engine/netstring.ts";
import { PolicyDecoder } from "../engine/policy-request.ts";
import type { ConnectionReport } from "../observe/report.ts";
import type { Log } from "../store/store.ts";
import { type Client, Connection, type ConnectionOptions } from "./connection.ts";
import { type Listener, type ListenSource, listen, type Protocol, type SocketRights } from "./listen.ts";
import type { PolicyResponder } from "./policy-responder.ts";
import type { ServedSocket } from "./primary.ts";
import type { Responder } from "./responder.ts";

/** What may change while the server runs: a new configuration replaces it whole. */
export interface ServerSettings {
  readonly responder: Responder;
  readonly policyResponder: PolicyResponder;
  /** Octets of the longest request payload. */
  readonly requestMax: number;
  /** Milliseconds until an idle client is dropped; 0 is never. */
  readonly idleTimeout: number;
  /** Connections served at a time; more of them wait. */
  readonly connectionsMax: number;
}

/** Who counts connections. */
export interface ServerWatch {
  /** A client was accepted. */
  opened(): void;
  /** The last client is gone. */
  emptied(): void;
}

/** Connections that may wait for their turn; the rest is closed at once. */
const WAITING_MAX = 1024;

export class Server {
  readonly #log: Log;
  readonly #watch: ServerWatch | null;
  #settings: ServerSettings | null;
  readonly #listeners: (Listener & { readonly protocol: Protocol })[] = [];
  readonly #connections = new Set<Connection>();
  readonly #waiting = new Map<Client, Protocol>();
  /** Milliseconds of silence after which a client is let go; null: we are not about to end. */
  #silence: number | null = null;
  #isClosing = false;
  #closing: NodeJS.Timeout | undefined;
  #whenEmpty: (() => void)[] = [];
  #accepted = 0;
  #refused = 0;

  /** @param settings null: they come later, and clients wait for them */
  constructor(settings: ServerSettings | null, log: Log, watch: ServerWatch | null = null) {
    this.#settings = settings;
    this.#log = log;
    this.#watch = watch;
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
    return { open, waiting: this.#waiting.size, accepted: this.#accepted, refused: this.#refused };
  }

  get settings(): ServerSettings {
    if (this.#settings === null) throw new Error("the server has no settings yet");
    return this.#settings;
  }

  /** From the next request on. Limits of a connection are those of its beginning. */
  set settings(settings: ServerSettings) {
    this.#settings = settings;
    this.#admitWaiting();
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
      const listener = await listen(source, { key, rights, onConnection });
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
    if (this.#hasRoom()) this.#serve(client, protocol);
    else this.#letWait(client, protocol);
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
    this.#isClosing = true;
    this.#stopListening();
    for (const client of this.#waiting.keys()) client.destroy();
    this.#waiting.clear();
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
    return this.#connections.size === 0 && this.#waiting.size === 0;
  }

  #hasRoom(): boolean {
    return this.#settings !== null && this.#connections.size < this.#settings.connectionsMax;
  }

  #serve(client: Client, protocol: Protocol): void {
    const connection = new Connection(client, this.#connectionOptions(protocol));
    this.#connections.add(connection);
    this.#log.debug("accepted connection");
    if (this.#silence !== null) connection.finishWhenSilent(this.#silence);
    client.once("close", () => {
      this.#connections.delete(connection);
      this.#admitWaiting();
      this.#left();
    });
  }

  #connectionOptions(protocol: Protocol): ConnectionOptions {
    const { requestMax, idleTimeout } = this.settings;
    return protocol === "socketmap"
      ? { idleTimeout, decoder: new NetstringDecoder(requestMax), responder: () => this.settings.responder }
      : { idleTimeout, decoder: new PolicyDecoder(requestMax), responder: () => this.settings.policyResponder };
  }

  #letWait(client: Client, protocol: Protocol): void {
    if (this.#waiting.size === 0 && this.#settings !== null) {
      this.#log.warning(`smmap_connections_max: all ${this.#settings.connectionsMax} connections are in use`);
    }
    if (this.#waiting.size >= WAITING_MAX) {
      this.#refused++;
      client.destroy();
      return;
    }
    this.#waiting.set(client, protocol);
    client.on("error", () => {});
    client.once("close", () => {
      if (this.#waiting.delete(client)) this.#left();
    });
  }

  #admitWaiting(): void {
    for (const [client, protocol] of this.#waiting) {
      if (this.#isClosing || !this.#hasRoom()) return;
      this.#waiting.delete(client);
      this.#serve(client, protocol);
    }
  }

  #left(): void {
    if (!this.#isEmpty()) return;
    this.#watch?.emptied();
    for (const resolve of this.#whenEmpty.splice(0)) resolve();
  }
}
