/**
 * The steps of startup whose order matters, since root may have started the process:
 *
 * 1. Choose the user to become. An unknown user is reported before anything is created.
 * 2. Set the umask, so that no other user can connect to a socket before its mode is set.
 * 3. Bind the listening sockets. Ports below 1024 and folders may be accessible to root only.
 * 4. Open the monitor's endpoints, for the same reason.
 * 5. Drop privileges.
 * 6. Reopen the log, so that logger(1) runs as the new user.
 * 7. Warn if the new user cannot read the configuration, since a reload would fail.
 * 8. Open the store as the new user.
 */
import { accessSync, constants } from "node:fs";
import { MonitorEndpoints } from "../monitor/endpoints.ts";
import type { StatusReporter } from "../monitor/status-report.ts";
import type { Server } from "../net/server.ts";
import type { Log } from "../store/store.ts";
import type { DaemonService } from "./active-service.ts";
import type { DaemonContext } from "./context.ts";
import { masterOf, primaryOf } from "./launch/launcher.ts";
import { openSockets } from "./open-sockets.ts";
import { chooseIdentity, dropPrivileges, type Identity } from "./privileges.ts";
import type { Configuration } from "./service.ts";
import { socketRights } from "./socket-permissions.ts";

export interface StartupOptions {
  /** Path of imapd.conf. */
  readonly configFile: string;
  readonly configuration: Configuration;
  /** Whether the only client is on standard input and output: nothing is bound then. */
  readonly servesStdio: boolean;
  readonly server: Server;
  readonly reporter: StatusReporter;
  openService(configuration: Configuration): Promise<DaemonService>;
}

export interface Started {
  readonly service: DaemonService;
  /** null: there are none. */
  readonly endpoints: MonitorEndpoints | null;
}

/** @throws ConfigError where a user, an address or the store cannot be had */
export async function startUp(context: DaemonContext, options: StartupOptions): Promise<Started> {
  const { host, launch, log, processLog } = context;
  const { configFile, configuration, servesStdio, server, openService } = options;
  const identity = chooseIdentity(configuration.process, host);
  host.umask(0o077);
  if (!servesStdio) await openSockets(server, launch, configuration, log);
  const endpoints = servesStdio ? null : await openEndpoints(context, options, identity);
  if (identity !== null) {
    dropPrivileges(identity, host);
    processLog.reopen();
    warnIfUnreadable(configFile, log);
  }
  return { service: await openService(configuration), endpoints };
}

function openEndpoints(
  { host, launch, log }: DaemonContext,
  { configuration: { settings, process: own }, reporter }: StartupOptions,
  identity: Identity | null,
): Promise<MonitorEndpoints> {
  return MonitorEndpoints.open({
    // The primary process serves the metrics of its workers.
    settings: primaryOf(launch) === null ? settings : { ...settings, metricsListen: [] },
    isLongLived: masterOf(launch) === null,
    pid: host.pid,
    uid: identity?.user.uid ?? null,
    gid: identity?.gid ?? null,
    owner: identity?.user.name ?? String(host.getuid?.()),
    rights: socketRights(settings.socketMode, own),
    reporter,
    log,
  });
}

function warnIfUnreadable(configFile: string, log: Log): void {
  try {
    accessSync(configFile, constants.R_OK);
  } catch (error) {
    log.warning(
      `a reload (SIGHUP) will fail until the user that smmapd runs as can read the configuration file: ${error}`,
    );
  }
}
