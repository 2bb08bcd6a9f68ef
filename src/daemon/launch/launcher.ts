import type { InheritedSocket } from "../../net/listener.ts";
import { Primary, type WorkerChannel } from "../workers/primary-channel.ts";
import { Master } from "./cyrus-master.ts";
import { activatedSockets } from "./inherited-sockets.ts";
import type { StandardInput } from "./stdio-client.ts";

/**
 * Who has started the process, as far as can be told by what was left open:
 *
 * - primary: the first of several processes; this one is its worker
 * - master: Cyrus' master(8)
 * - systemd: its socket activation
 * - client: a client on the standard input and output, by inetd or a shell
 * - person: nobody in particular, so the sockets are ours to make
 */
export type Start =
  | { readonly by: "primary"; readonly primary: Primary }
  | { readonly by: "master"; readonly master: Master }
  | { readonly by: "systemd"; readonly sockets: readonly InheritedSocket[] }
  | { readonly by: "client" }
  | { readonly by: "person" };

/** What it takes of Node's `process`. */
export interface StartedProcess extends WorkerChannel {
  readonly pid: number;
  readonly ppid: number;
}

export interface StartSigns {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stdin: StandardInput;
  /** Process of the shell that stands in for us, which master knows in place of ours; null: there is none. */
  readonly shell: number | null;
}

export function findStart(host: StartedProcess, { env, stdin, shell }: StartSigns): Start {
  const { pid, ppid } = host;
  const primary = Primary.find(env, ppid, host);
  if (primary !== null) return { by: "primary", primary };
  const master = Master.find(env, shell ?? pid);
  if (master !== null) return { by: "master", master };
  const sockets = activatedSockets(env, pid);
  if (sockets.length > 0) return { by: "systemd", sockets };
  return { by: stdin === null ? "person" : "client" };
}
