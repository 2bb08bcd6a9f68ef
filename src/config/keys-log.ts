import type { KeyDefinition } from "../store/store.ts";

/** What is told, and where. */
export const logKeys: readonly KeyDefinition[] = [
  {
    name: "smmap_log_format",
    type: "choice",
    default: null,
    values: ["syslog", "text", "json"],
    text: "Where the log goes: to syslog, or as lines of text or JSON to the standard error output, where journald finds the priority of each. Unset, it is syslog under master(8), and otherwise text if somebody may read the standard error output, be it a terminal, a pipe, a file or journald, and syslog if it is /dev/null.",
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
    text: "Lines of the log are headed PREFIX/SERVICE in place of the name of the service alone. CYRUS_SYSLOG_PREFIX in the environment comes before it.",
  },
  {
    name: "debug",
    type: "switch",
    default: "no",
    text: "Whether lines of the level debug are written: each connection, and why an address was refused.",
  },
  {
    name: "auditlog",
    type: "switch",
    default: "no",
    text: "Whether each answer is told, as `auditlog: WORD userid=<ADDRESS> client=<CLIENT>` at the level notice. WORD is ok, nonexistent, overquota or failed.",
  },
];
