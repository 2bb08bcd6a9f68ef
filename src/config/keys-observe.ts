import type { KeyDefinition } from "../store/store.ts";

/** How the running daemon can be watched. */
export const observeKeys: readonly KeyDefinition[] = [
  {
    name: "smmap_control_socket",
    type: "string",
    default: "{configdirectory}/socket/smmap-control",
    text: "Where smmapd status and smmapd purge reach the daemon: the beginning of the path of a UNIX socket, to which each process adds a dot and its number. Only root and the user that the daemon runs as get to it. disabled: nowhere.",
  },
  {
    name: "smmap_metrics_listen",
    type: "string",
    default: null,
    text: "Where to serve /metrics (in the text format of Prometheus), /healthz and /readyz by HTTP, in the form of smmap_listen. Nobody is asked for a password there. Unset, nowhere.",
  },
];
