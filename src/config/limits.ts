/** What clients may ask of a process at most, and for how long. */
import { milliseconds } from "../store/kit/duration.ts";
import { notNegative, positive } from "./checks.ts";
import type { Config } from "./config.ts";

export interface Limits {
  /** Connections served at a time. */
  readonly connectionsMax: number;
  /** Connections that may wait for their turn besides. */
  readonly connectionsWaiting: number;
  /** Connections of one client that are served at a time; 0: as many as there is room for. */
  readonly connectionsPerClient: number;
  /** Requests that wait for the store or for their turn to be answered, of all connections. */
  readonly requestsMax: number;
  /** Of one connection. */
  readonly requestsPerConnection: number;
  /** Octets of the longest request. */
  readonly requestMax: number;
  /** Octets of half requests and unread replies of all connections; beyond it nobody is waited for any more. */
  readonly bytesMax: number;
  /** Octets of unread replies of one connection, from which on it is not read from. */
  readonly bytesPerConnection: number;
  /** Milliseconds for a client to send a request, or to read the replies that hold it up. */
  readonly requestTimeout: number;
  /** Milliseconds without a byte from or to the client until it is dropped; 0 is never. */
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
