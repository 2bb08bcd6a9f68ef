import type { KeyDefinition } from "../store/store.ts";

/** Limits on clients, for each process. */
export const limitKeys: readonly KeyDefinition[] = [
  {
    name: "smmap_connections_max",
    type: "integer",
    default: "12000",
    text: "Number of clients that are served at the same time. Each needs an open file: if the limit of open files (ulimit -n, LimitNOFILE of systemd) is too low, fewer are served, and the log shows how many.",
  },
  {
    name: "smmap_connections_waiting",
    type: "integer",
    default: "1024",
    text: "Number of further clients that may be connected and wait for admission. A client beyond that number, or one that has waited for smmap_request_timeout, is refused with TEMP.",
  },
  {
    name: "smmap_connections_per_client",
    type: "integer",
    default: "0",
    text: "Number of connections of one client that are served at the same time; as many more may wait, and others are refused with TEMP. 0: no limit. A client is an IPv4 address, or an IPv6 network (/64). Applies to TCP only, because Node.js does not show the peer of a UNIX socket. Mail servers have one connection for each SMTP session, so the limit must be well above the number of sessions on one machine.",
  },
  {
    name: "smmap_requests_max",
    type: "integer",
    default: "10000",
    text: "Number of requests of all clients that wait for the store at the same time. Further requests stay unread until then, and clients are served in turn.",
  },
  {
    name: "smmap_requests_per_connection",
    type: "integer",
    default: "64",
    text: "Number of requests of one connection that wait for the store at the same time. Beyond that the connection is not read from.",
  },
  {
    name: "smmap_request_max",
    type: "bytes",
    default: "16KiB",
    text: "The longest request. A longer one is answered PERM, and the connection is closed.",
  },
  {
    name: "smmap_bytes_max",
    type: "bytes",
    default: "256MiB",
    text: "Octets that are kept for all clients together: requests that are incomplete or not yet decoded, and replies that are not read. Above that, a client is disconnected when its data have been pending for more than a second, instead of smmap_request_timeout.",
  },
  {
    name: "smmap_bytes_per_connection",
    type: "bytes",
    default: "64KiB",
    text: "Octets of replies that may wait for one client that does not read them, in addition to the buffers of the system. Beyond that the connection is not read from. Values below 16KiB have the effect of 16KiB.",
  },
  {
    name: "smmap_request_timeout",
    type: "duration",
    default: "30s",
    text: "Time limit for a client to send one request, from its first octet to its last, and to read replies when too many are pending. Then it is disconnected.",
  },
  {
    name: "smmap_idle_timeout",
    type: "duration",
    default: "1h",
    text: "Time without data after which a client's connection is closed.",
  },
];
