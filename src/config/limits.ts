/** Limits on connections, requests, memory and time of clients. */
import { milliseconds } from "../store/kit/duration.ts";
import { notNegative, positive } from "./checks.ts";
import type { Config } from "./config.ts";

export interface Limits {
  /** Connections served at a time. */
  readonly connectionsMax: number;
  /** Further connections that may wait for admission. */
  readonly connectionsWaiting: number;
  /** Connections of one client that are served at a time; 0: no limit. */
  readonly connectionsPerClient: number;
  /** Requests in flight of all connections. */
  readonly requestsMax: number;
  /** Requests in flight of one connection. */
  readonly requestsPerConnection: number;
  /** Octets of the longest request. */
  readonly requestMax: number;
  /** Octets of incomplete requests and unread replies of all connections; above it slow clients are disconnected. */
  readonly bytesMax: number;
  /** Octets of unread replies of one connection; above it the connection is not read from. */
  readonly bytesPerConnection: number;
  /** Milliseconds for a client to send a request, or to read replies when too many are pending. */
  readonly requestTimeout: number;
  /** Milliseconds without an octet from or to the client after which it is disconnected; 0: never. */
  readonly idleTimeout: number;
}

/** @throws ConfigError */
export function readLimits(config: Config): Limits {
  const count = (key: string) => positive(config, key, config.integer(key));
  const bytes = (key: string) => positive(config, key, config.bytes(key));
  const perClient = "smmap_connections_per_client";
  return {
    connectionsMax: count("smmap_connections_max"),
    connectionsWaiting: notNegative(config, "smmap_connections_waiting", config.integer("smmap_connections_waiting")),
    connectionsPerClient: notNegative(config, perClient, config.integer(perClient)),
    requestsMax: count("smmap_requests_max"),
    requestsPerConnection: count("smmap_requests_per_connection"),
    requestMax: bytes("smmap_request_max"),
    bytesMax: bytes("smmap_bytes_max"),
    bytesPerConnection: bytes("smmap_bytes_per_connection"),
    requestTimeout: milliseconds(config, "smmap_request_timeout"),
    idleTimeout: milliseconds(config, "smmap_idle_timeout"),
  };
}
