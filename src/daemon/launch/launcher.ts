import type { InheritedSocket } from "../../net/listener.ts";
import { PrimaryChannel, type WorkerChannel } from "../workers/primary-channel.ts";
import { CyrusMaster } from "./cyrus-master.ts";
import { activatedSockets } from "./inherited-sockets.ts";
import type { StandardInput } from "./stdio-client.ts";

/**
 * What has launched the process, detected by environment and open descriptors:
 *
 * - primary: the primary process of several; this one is its worker
 * - master: Cyrus' master(8)
 * - systemd: systemd's socket activation
 * - stdio: inetd or a shell, with a client on standard input and output
 * - standalone: anything else; the process binds its sockets itself
 */
export type Launch =
  | { readonly by: "primary"; readonly primary: PrimaryChannel }
  | { readonly by: "master"; readonly master: CyrusMaster }
  | { readonly by: "systemd"; readonly sockets: readonly InheritedSocket[] }
  | { readonly by: "stdio" }
  | { readonly by: "standalone" };

/** The part of Node's `process` that detection uses. */
export interface LaunchedProcess extends WorkerChannel {
  readonly pid: number;
  readonly ppid: number;
}

export interface LaunchEnvironment {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stdin: StandardInput;
  /** Process of src/smmapd.sh, whose id master(8) knows in place of this one's; null: it does not run. */
  readonly shell: number | null;
}

export function detectLaunch(host: LaunchedProcess, { env, stdin, shell }: LaunchEnvironment): Launch {
  const { pid, ppid } = host;
  const primary = PrimaryChannel.detect(env, ppid, host);
  if (primary !== null) return { by: "primary", primary };
  const master = CyrusMaster.detect(env, shell ?? pid);
  if (master !== null) return { by: "master", master };
  const sockets = activatedSockets(env, pid);
  if (sockets.length > 0) return { by: "systemd", sockets };
  return { by: stdin === null ? "standalone" : "stdio" };
}

/** null: master(8) has not launched the process. */
export function masterOf(launch: Launch): CyrusMaster | null {
  return launch.by === "master" ? launch.master : null;
}

/** null: the process is not a worker. */
export function primaryOf(launch: Launch): PrimaryChannel | null {
  return launch.by === "primary" ? launch.primary : null;
}

/** Whether no other program starts processes for these sockets, so that this one may start workers. */
export function mayStartWorkers({ by }: Launch): boolean {
  return by === "standalone" || by === "systemd";
}
