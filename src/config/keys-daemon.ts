import type { KeyDefinition } from "../store/store.ts";

/** The daemon: its store and its sockets. */
export const daemonKeys: readonly KeyDefinition[] = [
  {
    name: "smmap_store",
    type: "string",
    default: "auto",
    text: "The store that is asked for mailboxes: sqlite, ldap, imap, or a module of your own (the name of a package, or a path that begins with / or . and is relative to the directory of the configuration file). auto takes the one store that the file describes: imap with smmap_imap_server; sqlite with sql_engine: sqlite, sql_database and smmap_sql_query; ldap with ldap_uri and any smmap_ldap_ option; without these, imap on localhost if smmap_imap_password or proxy_password is set. If that leaves none or several, the program does not start.",
  },
  {
    name: "smmap_quota_zero",
    type: "choice",
    default: null,
    values: ["unlimited", "zero"],
    text: "Meaning of a limit of 0: no limit, or that nothing may be stored. Unset, it is unlimited for ldap and for sqlite with smmap_sql_query, and zero for sqlite with its own schema. For imap it is always zero, as in Cyrus.",
  },
  {
    name: "smmap_query_timeout",
    type: "duration",
    default: "4s",
    text: "Deadline of one look-up, including waiting and connecting. After that the reply is TIMEOUT. Mail servers have timeouts as well: Exim 5 seconds, sendmail 30, Postfix 100.",
  },
  {
    name: "smmap_listen",
    type: "string",
    default: "{configdirectory}/socket/smmap",
    text: "Addresses to listen on, separated by white space: /path of a UNIX socket, port, host:port or [IPv6 address]:port. A port alone is on 127.0.0.1. Ignored under master(8), inetd or systemd, which pass the socket.",
  },
  {
    name: "smmap_socket_mode",
    type: "string",
    default: "0666",
    text: "Permissions of UNIX sockets, in octal.",
  },
  {
    name: "smmap_breaker_failures",
    type: "integer",
    default: "5",
    text: "After this number of failures in a row the circuit breaker opens: look-ups fail at once, without a request to the backend, for smmap_breaker_reset.",
  },
  {
    name: "smmap_breaker_reset",
    type: "duration",
    default: "3s",
    text: "How long the circuit breaker stays open before the next attempt.",
  },
  {
    name: "smmap_pool_size",
    type: "integer",
    default: "2",
    text: "Connections to each backend (imap and ldap).",
  },
];
