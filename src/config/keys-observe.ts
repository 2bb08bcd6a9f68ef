import type { KeyDefinition } from "../store/store.ts";

/** Monitoring of the running daemon. */
export const observeKeys: readonly KeyDefinition[] = [
  {
    name: "smmap_control_socket",
    type: "string",
    default: "{configdirectory}/socket/smmap-control",
    text: "Path of the UNIX socket for smmapd status and smmapd purge; each process appends a dot and its process id. Only root and the user that the daemon runs as can connect. disabled: no socket.",
  },
  {
    name: "smmap_metrics_listen",
    type: "string",
    default: null,
    text: "Addresses to serve /metrics (in the text format of Prometheus), /healthz and /readyz on by HTTP, in the form of smmap_listen. There is no authentication. Unset: not served.",
  },
];
