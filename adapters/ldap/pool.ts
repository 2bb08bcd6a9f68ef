/** Connections of a store: opened on demand, reopened after a loss, shared by all look-ups. */
import { Connector, EndpointHealth, LoginBackoff } from "../../src/store/kit/index.ts";
import { type Log, StoreError } from "../../src/store/store.ts";
import type { LdapConnection } from "./connection.ts";
import type { ConnectionOptions } from "./connection-options.ts";
import type { LdapEndpoint } from "./endpoint.ts";
import { openConnection } from "./login.ts";
import { CannotServe } from "./result.ts";

export class ConnectionPool {
  readonly #connectors: readonly Connector<LdapEndpoint, LdapConnection>[];
  readonly #owners: Owners = new WeakMap();

  constructor(options: ConnectionOptions, log: Log) {
    const shared = { logins: new LoginBackoff(log), health: new EndpointHealth(), owners: this.#owners };
    this.#connectors = Array.from({ length: options.poolSize }, () => connectorTo(options, shared, log));
  }

  /**
   * Runs a task with a connection. Repeats it once with another connection if the first was lost meanwhile (a dead
   * connection may be detected late), or with another server if the first cannot serve. Rejects with StoreError.
   */
  async use<T>(task: (connection: LdapConnection) => Promise<T>, signal: AbortSignal): Promise<T> {
    const first = await this.#get();
    try {
      return await task(first);
    } catch (error) {
      if (error instanceof CannotServe && !signal.aborted) return this.#failOver(first, error, task);
      // "closed" may be that of a retired connection; a closed pool rejects the second attempt with it as well.
      const isLoss = error instanceof StoreError && (error.code === "unavailable" || error.code === "closed");
      const wasLost = first.hasEnded && isLoss;
      if (!wasLost || signal.aborted) throw error;
    }
    return task(await this.#get());
  }

  async #failOver<T>(
    from: LdapConnection,
    error: CannotServe,
    task: (connection: LdapConnection) => Promise<T>,
  ): Promise<T> {
    // A connection that was retired meanwhile has an owner too: its replacement leads to a server that can serve.
    const owner = this.#owners.get(from);
    if (owner === undefined) throw error;
    return owner.failOver(from, error, task);
  }

  close(): void {
    for (const connector of this.#connectors) connector.close();
  }

  /** The least loaded connection. A missing one is opened in the background while another is in use. */
  #get(): Promise<LdapConnection> {
    let best: LdapConnection | null = null;
    let spare: Connector<LdapEndpoint, LdapConnection> | null = null;
    for (const connector of this.#connectors) {
      const { connection } = connector;
      if (connection === null) spare ??= connector;
      else if (best === null || connection.load < best.load) best = connection;
    }
    if (best === null) return (spare as Connector<LdapEndpoint, LdapConnection>).get();
    // The connector logs a failure; this look-up uses the other connection.
    if (best.load > 0) spare?.get().catch(() => {});
    return Promise.resolve(best);
  }
}

/** The connector that opened each connection. */
type Owners = WeakMap<LdapConnection, Connector<LdapEndpoint, LdapConnection>>;

interface SharedState {
  readonly owners: Owners;
  readonly logins: LoginBackoff;
  readonly health: EndpointHealth;
}

function connectorTo(
  options: ConnectionOptions,
  { logins, health, owners }: SharedState,
  log: Log,
): Connector<LdapEndpoint, LdapConnection> {
  const connector = new Connector<LdapEndpoint, LdapConnection>({
    endpoints: options.endpoints,
    connect: async (endpoint, signal) => {
      const connection = await openConnection(endpoint, options, signal);
      if (connection.hasEnded) throw new StoreError("unavailable", "ldap: the connection was closed after the bind");
      connection.onEnd = () => connector.lost(connection);
      owners.set(connection, connector);
      return connection;
    },
    disconnect: (connection) => connection.end(),
    retire: (connection) => connection.retire(),
    describe: ({ uri }) => uri,
    logins,
    health,
    log,
  });
  return connector;
}
