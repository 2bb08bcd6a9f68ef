import type { KeyDefinition } from "../store/store.ts";

/** The log: its content and its destination. */
export const logKeys: readonly KeyDefinition[] = [
  {
    name: "smmap_log_format",
    type: "choice",
    default: null,
    values: ["syslog", "text", "json"],
    text: "Destination of the log: syslog, or lines of text or JSON on the standard error output, with priorities for journald. Unset, it is syslog under master(8). Otherwise it is text if the standard error output is a terminal, a pipe, a file or journald, and syslog if it is /dev/null.",
  },
  {
    name: "syslog_facility",
    type: "string",
    default: "MAIL",
    text: "Facility of syslog: DAEMON, MAIL, NEWS, USER or LOCAL0 to LOCAL7.",
  },
  {
    name: "syslog_prefix",
    type: "string",
    default: null,
    text: "Log lines begin with PREFIX/SERVICE in place of the service's name alone. CYRUS_SYSLOG_PREFIX in the environment takes precedence.",
  },
  {
    name: "debug",
    type: "switch",
    default: "no",
    text: "Whether messages of the level debug are logged: each connection, and the reason of each refusal.",
  },
  {
    name: "auditlog",
    type: "switch",
    default: "no",
    text: "Whether each answer is logged, as `auditlog: WORD userid=<ADDRESS> client=<CLIENT>` at the level notice. WORD is ok, nonexistent, overquota or failed.",
  },
];
