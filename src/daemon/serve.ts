/** From the command line's options to the exit status: reads the configuration, starts up, serves, reloads, shuts down. */
import { StatusReporter } from "../monitor/status-report.ts";
import { Server } from "../net/server.ts";
import { ConfigError } from "../store/store.ts";
import { ActiveService, openDaemonService } from "./active-service.ts";
import { observeConnections } from "./connection-observer.ts";
import type { DaemonContext, DaemonOptions } from "./context.ts";
import { debugCommand, runDebugger } from "./debug-command.ts";
import { masterOf, mayStartWorkers, primaryOf } from "./launch/launcher.ts";
import { standardClient } from "./launch/stdio-client.ts";
import { logOptions } from "./log-options.ts";
import { reload } from "./reload.ts";
import { resourceUsage } from "./resource-usage.ts";
import { type Configuration, readConfiguration } from "./service.ts";
import { shutDown } from "./shutdown-sequence.ts";
import { startUp } from "./startup.ts";
import { startWorkers, WorkerSupervisor } from "./workers/supervisor.ts";

/** Serves until a shutdown request. @returns exit status; @throws ConfigError before anything is served */
export async function serve(context: DaemonContext, options: DaemonOptions): Promise<number> {
  const { host, io, launch, log, processLog, tally, reloads } = context;
  const { configFile, skipPlus } = options;
  const isStartedByRoot = host.getuid?.() === 0;
  const servesStdio = launch.by === "stdio" || options.isClientOnStdin;
  const configuration = await readConfigurationOf(context, configFile);
  const { settings, process: own } = configuration;
  processLog.adjust(logOptions(settings.log, io.env, masterOf(launch) !== null));
  log.debug("executed");
  if (options.isDebugged && primaryOf(launch) === null) await debug(context, own.debugCommand);
  if (own.workers > 1 && mayStartWorkers(launch) && (options.uses ?? options.timeout) !== null) {
    throw new ConfigError("smmap_workers: options -U and -T are for a single process");
  }

  const active = new ActiveService();
  active.onSwap((service) => processLog.adjust(logOptions(service.settings.log, io.env, masterOf(launch) !== null)));
  const server = new Server(active, log, observeConnections(context, options, servesStdio));
  const supervisor = mayStartWorkers(launch) ? supervise(context, server) : null;
  const name = io.env.CYRUS_SERVICE || "smmap";
  const reporter = new StatusReporter({ tally, server, active, supervisor, name, host: resourceUsage(host) });
  primaryOf(launch)?.onReport(() => reporter.report());

  const openService = (from: Configuration) => openDaemonService(from, { skipPlus, tally, log });
  const started = { configFile, configuration, servesStdio, server, reporter, openService };
  const { service, endpoints } = await startUp(context, started);
  active.swap(service);
  if (servesStdio) server.accept(standardClient(io));
  announce(context, server, active);
  void startWorkers(supervisor, configuration, log);

  const read = () => readConfigurationOf(context, configFile);
  const reloadOptions = { active, startedWith: configuration, isStartedByRoot, supervisor, openService };
  reloads.start(() => reload(context, { ...reloadOptions, readConfiguration: read }));
  const status = await shutDown(context, { server, active, supervisor });
  reloads.stop();
  endpoints?.close();
  await active.current?.stack.close();
  return status;
}

/** A worker gets the options from the primary process, since it may have no right to read the file. */
async function readConfigurationOf({ host, io, launch }: DaemonContext, configFile: string): Promise<Configuration> {
  if (masterOf(launch) !== null && host.getuid?.() === 0) {
    throw new ConfigError("master(8) has started smmapd as root, but services must not run as root: see cyrus_user");
  }
  const { env } = io;
  const primary = primaryOf(launch);
  if (primary === null) return await readConfiguration({ configFile, env });
  const conf = await primary.configuration();
  // The primary process has logged the warnings.
  return { ...(await readConfiguration({ configFile, env, conf })), warnings: [] };
}

async function debug({ host, io, log }: DaemonContext, format: string | null): Promise<void> {
  if (format === null) return;
  const command = debugCommand(format, host.argv[1] ?? "", host.pid, io.env.CYRUS_SERVICE ?? "smmap");
  log.debug(`running external debugger: ${command}`);
  log.debug(`debugger returned exit status: ${await runDebugger(command)}`);
}

function supervise({ host, io, log }: DaemonContext, server: Server): WorkerSupervisor {
  const command = [host.execPath, ...host.execArgv, ...host.argv.slice(1)];
  return new WorkerSupervisor({ command, env: io.env, pid: host.pid, sockets: () => server.sockets }, log);
}

/** Reports readiness to the log, to systemd, and to the primary process. */
function announce({ launch, systemd, logLifecycle }: DaemonContext, server: Server, { current }: ActiveService): void {
  if (current !== null) logLifecycle(`store ${current.stack.store.name}: ${current.settings.store.reason}`);
  if (server.addresses.length === 0) {
    logLifecycle("serving the client on standard input; to listen instead, start with </dev/null");
  }
  for (const address of server.addresses) logLifecycle(`listening on ${address}`);
  systemd.ready();
  primaryOf(launch)?.sendStatus("serving");
}
