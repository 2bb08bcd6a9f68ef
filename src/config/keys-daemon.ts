import type { KeyDefinition } from "../store/store.ts";

/** The daemon: its store and its sockets. */
export const daemonKeys: readonly KeyDefinition[] = [
  {
    name: "smmap_store",
    type: "string",
    default: "auto",
    text: "Which store knows the mailboxes: sqlite, ldap, imap, or a module of your own (the name of a package, or a path that begins with / or . and is relative to the directory of the configuration file). auto takes the one store that the file describes: imap with smmap_imap_server; sqlite with sql_engine: sqlite, sql_database and smmap_sql_query; ldap with ldap_uri and any smmap_ldap_ option; failing all three, imap on localhost where smmap_imap_password or proxy_password is set. Where that leaves none or several, the program does not start.",
  },
  {
    name: "smmap_quota_zero",
    type: "choice",
    default: null,
    values: ["unlimited", "zero"],
    text: "What a limit of 0 means: no limit at all, or a limit of nothing. Unset, it is unlimited for ldap and for sqlite with smmap_sql_query, and zero for sqlite with its own schema. For imap it is always zero, as in Cyrus.",
  },
  {
    name: "smmap_query_timeout",
    type: "duration",
    default: "4s",
    text: "How long one look-up may take, waiting and connecting included. After that the reply is TIMEOUT. Mail servers give up as well: Exim after 5 seconds, sendmail after 30, Postfix after 100.",
  },
  {
    name: "smmap_listen",
    type: "string",
    default: "{configdirectory}/socket/smmap",
    text: "Where to listen, separated by white space: /path of a UNIX socket, port, host:port or [IPv6 address]:port. A port alone is that of 127.0.0.1. Not used under master(8), inetd or systemd, which hand over the socket.",
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
    text: "After so many failures in a row the backend is left alone for smmap_breaker_reset; look-ups fail at once meanwhile.",
  },
  {
    name: "smmap_breaker_reset",
    type: "duration",
    default: "3s",
    text: "How long a failing backend is left alone.",
  },
  {
    name: "smmap_pool_size",
    type: "integer",
    default: "2",
    text: "Connections to each backend (imap and ldap).",
  },
];
