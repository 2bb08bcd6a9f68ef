import type { KeyDefinition } from "../store/store.ts";

/** The process: its user, its shutdown, the number of workers. */
export const processKeys: readonly KeyDefinition[] = [
  {
    name: "smmap_socket_owner",
    type: "string",
    default: null,
    text: "Owner of UNIX sockets: a name or a number. Only root can set another owner. Unset, it is the user that starts the program.",
  },
  {
    name: "smmap_socket_group",
    type: "string",
    default: null,
    text: "Group of UNIX sockets: a name or a number. With smmap_socket_mode: 0660 only its members can connect.",
  },
  {
    name: "smmap_user",
    type: "string",
    default: null,
    text: "The user, with its groups, that the program changes to permanently when root starts it on its own. Unset, it is the user that Cyrus runs as: cyrus_user and cyrus_group. With root it keeps its privileges.",
  },
  {
    name: "cyrus_user",
    type: "string",
    default: "cyrus",
    text: "The user that Cyrus runs as. CYRUS_USER in the environment takes precedence.",
  },
  {
    name: "cyrus_group",
    type: "string",
    default: null,
    text: "The group that Cyrus runs as. CYRUS_GROUP in the environment takes precedence. Unset, it is that of the user.",
  },
  {
    name: "smmap_drain_timeout",
    type: "duration",
    default: "30s",
    text: "How long clients are still served after the program has received the signal to end. No new connections are accepted. A connection is closed after its client has been silent for a second, and all connections after this time. At most an hour.",
  },
  {
    name: "smmap_workers",
    type: "string",
    default: "1",
    text: "Number of processes that serve the same sockets; auto is one for each processor. Ignored under master(8), which has prefork.",
  },
  {
    name: "debug_command",
    type: "string",
    default: null,
    text: "Shell command that option -D runs before the program begins to serve; the program waits for its end. %s, %d and %s are replaced by the program, its process id and the name of the service, in this order.",
  },
];
