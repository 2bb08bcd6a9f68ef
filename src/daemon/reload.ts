/**
 * A reload of the configuration, all or nothing: whatever can fail is done first, beside the running service; then the
 * active service is swapped, which cannot fail. A worker that fails to apply the configuration afterwards is logged.
 */
import type { ActiveService, DaemonService } from "./active-service.ts";
import type { DaemonContext } from "./context.ts";
import { primaryOf } from "./launch/launcher.ts";
import { restartWarnings } from "./restart-required.ts";
import type { Configuration } from "./service.ts";
import { startWorkers, type WorkerSupervisor } from "./workers/supervisor.ts";

export interface ReloadOptions {
  readonly active: ActiveService;
  /** The configuration that the process was started with: sockets and user depend on it. */
  readonly startedWith: Configuration;
  /** Whether root has started the process. */
  readonly isStartedByRoot: boolean;
  /** null: this process starts no workers. */
  readonly supervisor: WorkerSupervisor | null;
  readConfiguration(): Promise<Configuration>;
  openService(configuration: Configuration): Promise<DaemonService>;
}

interface Prepared {
  readonly configuration: Configuration;
  readonly service: DaemonService;
  readonly warnings: readonly string[];
}

/** Reads the configuration again and applies it, or logs why the running one is kept. Never rejects. */
export async function reload(context: DaemonContext, options: ReloadOptions): Promise<void> {
  const { log, tally, launch } = context;
  let prepared: Prepared;
  try {
    prepared = await prepare(context, options);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    log.error(`reload failed, keeping the running configuration: ${reason}`);
    tally.reloaded("failed");
    primaryOf(launch)?.sendStatus("refused");
    return;
  }
  const previous = options.active.swap(prepared.service);
  for (const warning of prepared.warnings) log.warning(warning);
  void previous?.stack.retire();
  await startWorkers(options.supervisor, prepared.configuration, log);
  context.logLifecycle("configuration reloaded");
  tally.reloaded("succeeded");
  primaryOf(launch)?.sendStatus("serving");
}

/** Opens the new service and starts the additional workers. @throws Error: then everything is as before */
async function prepare({ launch }: DaemonContext, options: ReloadOptions): Promise<Prepared> {
  const { startedWith, isStartedByRoot, supervisor } = options;
  const configuration = await options.readConfiguration();
  const { process: own } = configuration;
  // The primary process warns for its workers as well.
  const warnings = primaryOf(launch) === null ? restartWarnings(startedWith, configuration, isStartedByRoot) : [];
  const service = await options.openService(configuration);
  try {
    await supervisor?.prepare(own.workers - 1);
    return { configuration, service, warnings };
  } catch (error) {
    void service.stack.close();
    throw error;
  }
}
