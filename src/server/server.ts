/** All listening sockets and all connections of the daemon. */
import type { Socket } from "node:net";
import type { ListenAddress } from "../config/settings.ts";
import type { Log } from "../store/store.ts";
import { Connection } from "./connection.ts";
import { type Listener, listen } from "./listen.ts";
import type { Responder } from "./responder.ts";

/** What may change while the server runs: a new configuration replaces it whole. */
export interface ServerSettings {
  readonly responder: Responder;
  /** Octets of the longest request payload. */
  readonly requestMax: number;
  /** Milliseconds until an idle client is dropped; 0 is never. */
  readonly idleTimeout: number;
  /** Connections served at a time; more of them wait. */
  readonly connectionsMax: number;
}

/** Connections that may wait for their turn; the rest is closed at once. */
const WAITING_MAX = 1024;

export class Server {
  readonly #log: Log;
  #settings: ServerSettings;
  readonly #listeners: Listener[] = [];
  readonly #connections = new Set<Connection>();
  readonly #waiting = new Set<Socket>();
  #isClosing = false;
  #whenEmpty: (() => void) | null = null;

  constructor(settings: ServerSettings, log: Log) {
    this.#settings = settings;
    this.#log = log;
  }

  /** Where it listens: PATH or HOST:PORT. */
  get addresses(): readonly string[] {
    return this.#listeners.map((listener) => listener.name);
  }

  get settings(): ServerSettings {
    return this.#settings;
  }

  /** From the next request on. Limits of a connection are those of its beginning. */
  set settings(settings: ServerSettings) {
    this.#settings = settings;
    this.#admitWaiting();
  }

  /** @param socketMode rights of unix sockets' files; @throws ConfigError where an address cannot be had */
  async listen(addresses: readonly ListenAddress[], socketMode: number): Promise<void> {
    for (const address of addresses) {
      const onConnection = (socket: Socket) => this.#welcome(socket);
      this.#listeners.push(await listen(address, { socketMode, onConnection }));
    }
  }

  /** Accepts no more, answers what was read, and resolves when the last connection is gone. */
  async close(): Promise<void> {
    this.#isClosing = true;
    for (const listener of this.#listeners.splice(0)) listener.close();
    for (const socket of this.#waiting) socket.destroy();
    this.#waiting.clear();
    for (const connection of this.#connections) connection.finish();
    if (this.#connections.size === 0) return;
    await new Promise<void>((resolve) => {
      this.#whenEmpty = resolve;
    });
  }

  #welcome(socket: Socket): void {
    if (this.#isClosing) socket.destroy();
    else if (this.#connections.size < this.#settings.connectionsMax) this.#serve(socket);
    else this.#letWait(socket);
  }

  #serve(socket: Socket): void {
    this.#log.debug("accepted connection");
    const { requestMax, idleTimeout } = this.#settings;
    const responder = () => this.#settings.responder;
    const connection = new Connection(socket, { requestMax, idleTimeout, responder });
    this.#connections.add(connection);
    socket.once("close", () => {
      this.#connections.delete(connection);
      this.#admitWaiting();
      if (this.#connections.size === 0) this.#whenEmpty?.();
    });
  }

  #letWait(socket: Socket): void {
    if (this.#waiting.size === 0) {
      this.#log.warning(`smmap_connections_max: all ${this.#settings.connectionsMax} connections are in use`);
    }
    if (this.#waiting.size >= WAITING_MAX) {
      socket.destroy();
      return;
    }
    this.#waiting.add(socket);
    socket.on("error", () => {});
    socket.once("close", () => this.#waiting.delete(socket));
  }

  #admitWaiting(): void {
    for (const socket of this.#waiting) {
      if (this.#isClosing || this.#connections.size >= this.#settings.connectionsMax) return;
      this.#waiting.delete(socket);
      this.#serve(socket);
    }
  }
}
