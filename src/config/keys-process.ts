import type { KeyDefinition } from "../store/store.ts";

/** The process: who it is, how it ends, how many of it there are. */
export const processKeys: readonly KeyDefinition[] = [
  {
    name: "smmap_socket_owner",
    type: "string",
    default: null,
    text: "Owner of UNIX sockets: a name or a number. Only root can give a socket to somebody else. Unset, it is whoever starts the program.",
  },
  {
    name: "smmap_socket_group",
    type: "string",
    default: null,
    text: "Group of UNIX sockets: a name or a number. With smmap_socket_mode: 0660 only its members can ask.",
  },
  {
    name: "smmap_user",
    type: "string",
    default: null,
    text: "Who the program becomes, for good and with this user's groups, when root starts it on its own. Unset, it is who Cyrus runs as: cyrus_user and cyrus_group. The name root keeps it root.",
  },
  {
    name: "cyrus_user",
    type: "string",
    default: "cyrus",
    text: "The user that Cyrus runs as. CYRUS_USER in the environment comes before it.",
  },
  {
    name: "cyrus_group",
    type: "string",
    default: null,
    text: "The group that Cyrus runs as. CYRUS_GROUP in the environment comes before it. Unset, it is that of the user.",
  },
  {
    name: "smmap_drain_timeout",
    type: "duration",
    default: "30s",
    text: "How long clients are still served when the program has been told to end and accepts no more. A connection is closed as soon as its client has been silent for a second, and after this time in any case. At most an hour.",
  },
  {
    name: "smmap_workers",
    type: "string",
    default: "1",
    text: "How many processes serve the same sockets; auto is one for each processor. Not used under master(8), whose prefork does it.",
  },
  {
    name: "debug_command",
    type: "string",
    default: null,
    text: "Command of the shell that option -D runs and waits for before anything is served. %s, %d and %s stand for the program, the number of its process and the name of the service, in this order.",
  },
];
