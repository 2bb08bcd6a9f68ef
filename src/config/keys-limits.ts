import type { KeyDefinition } from "../store/store.ts";

/** What clients may ask of a process at most. */
export const limitKeys: readonly KeyDefinition[] = [
  {
    name: "smmap_connections_max",
    type: "integer",
    default: "12000",
    text: "How many clients are served at once. Each takes an open file: where the limit of these (ulimit -n, LimitNOFILE of systemd) is too low, fewer are served, and the log says how many.",
  },
  {
    name: "smmap_connections_waiting",
    type: "integer",
    default: "1024",
    text: "How many clients more may be connected and wait for their turn. Whoever comes beyond that, or has waited for smmap_request_timeout, is told TEMP at once.",
  },
  {
    name: "smmap_connections_per_client",
    type: "integer",
    default: "0",
    text: "How many connections of one client are served at once, so that it leaves room for others; as many more may wait, and the rest is told TEMP. 0 is any number. A client is an IPv4 address, or a network of IPv6 (/64). It counts for TCP alone: Node.js does not tell who is on the other end of a UNIX socket. Mail servers have one connection for each session of SMTP, so this must be well above their number on one machine.",
  },
  {
    name: "smmap_requests_max",
    type: "integer",
    default: "10000",
    text: "How many requests of all clients wait for the store at once. Beyond that requests stay unread, none is lost, and the clients take turns.",
  },
  {
    name: "smmap_requests_per_connection",
    type: "integer",
    default: "64",
    text: "How many requests of one connection wait for the store at once. Beyond that it is not read from.",
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
    text: "How much may be kept of all clients together: requests that are not whole or not looked at yet, and replies that are not read. Where it is more, whoever has kept it waiting for more than a second is dropped, in place of after smmap_request_timeout.",
  },
  {
    name: "smmap_bytes_per_connection",
    type: "bytes",
    default: "64KiB",
    text: "How much may wait for one client that does not read its replies, besides what the system keeps for it. Beyond that it is not read from. Less than 16KiB is like 16KiB.",
  },
  {
    name: "smmap_request_timeout",
    type: "duration",
    default: "30s",
    text: "How long a client may take to send one request, from its first octet to its last, and to read replies when too many wait for it. Then it is dropped.",
  },
  {
    name: "smmap_idle_timeout",
    type: "duration",
    default: "1h",
    text: "How long a client may be silent before its connection is closed.",
  },
];
