/** Life of the process: start, signals, reload, end. */
import type { Io } from "../io.ts";
import { ProcessLog } from "../log/log.ts";
import type { Log } from "../store/store.ts";
import { logOptions } from "./log-options.ts";
import { Server, type ServerSettings } from "./server.ts";
import { readConfiguration, type Service, startService } from "./service.ts";

export interface LifeOptions {
  /** Path of imapd.conf. */
  readonly configFile: string;
  /** Option -p. */
  readonly skipPlus: boolean;
}

/**
 * Serves until SIGTERM or SIGINT. SIGHUP rereads the configuration; a broken one is reported and the old one stays.
 * @returns exit status
 * @throws ConfigError before anything listens, if the configuration is wrong
 */
export async function live(options: LifeOptions, io: Io): Promise<number> {
  const isService = io.env.CYRUS_SERVICE !== undefined;
  const log = new ProcessLog(logOptions(null, io.env, isService), { pid: process.pid, stderr: io.stderr, env: io.env });
  const open = async () => {
    const configuration = await readConfiguration({ configFile: options.configFile, env: io.env });
    log.adjust(logOptions(configuration.settings.log, io.env, isService));
    return startService(configuration, { skipPlus: options.skipPlus, log });
  };
  try {
    await serve(open, log);
  } catch (error) {
    await log.close();
    throw error;
  }
  // Last lines that nobody reads would keep the process alive.
  if (!(await log.close())) process.exit(0);
  return 0;
}

async function serve(open: () => Promise<Service>, log: Log): Promise<void> {
  // Installed before anything slow, so that an early signal is not the end of an unprepared process.
  const stopped = new Promise<void>((resolve) => {
    process.once("SIGTERM", resolve);
    process.once("SIGINT", resolve);
  });
  const reload = new Reload();
  process.on("SIGHUP", reload.request);
  try {
    let service = await open();
    log.debug("executed");
    const server = new Server(serverSettings(service), log);
    await server.listen(service.settings.listen, service.settings.socketMode);
    log.notice(`store ${service.store.name}: ${service.settings.store.reason}`);
    for (const address of server.addresses) log.notice(`listening on ${address}`);
    reload.start(async () => {
      service = await replace(service, open, server, log);
    });
    await stopped;
    reload.stop();
    log.notice("stopping");
    await server.close();
    await service.store.close();
  } finally {
    process.off("SIGHUP", reload.request);
  }
}

async function replace(old: Service, open: () => Promise<Service>, server: Server, log: Log): Promise<Service> {
  try {
    const service = await open();
    server.settings = serverSettings(service);
    const moved = JSON.stringify(service.settings.listen) !== JSON.stringify(old.settings.listen);
    if (moved) log.warning("smmap_listen has changed: that takes a restart, the old sockets stay");
    log.notice("configuration read again");
    void old.store.retire();
    return service;
  } catch (error) {
    log.error(`the old configuration stays: ${error instanceof Error ? error.message : String(error)}`);
    return old;
  }
}

function serverSettings({ settings, responder }: Service): ServerSettings {
  const { requestMax, idleTimeout, connectionsMax } = settings;
  return { responder, requestMax, idleTimeout, connectionsMax };
}

/** Wishes for a reload, granted one after another; those that come meanwhile are one. */
class Reload {
  #run: (() => Promise<void>) | null = null;
  #isWanted = false;
  #isRunning = false;

  readonly request = (): void => {
    this.#isWanted = true;
    void this.#work();
  };

  start(run: () => Promise<void>): void {
    this.#run = run;
    void this.#work();
  }

  stop(): void {
    this.#run = null;
  }

  async #work(): Promise<void> {
    if (this.#isRunning) return;
    this.#isRunning = true;
    while (this.#run !== null && this.#isWanted) {
      this.#isWanted = false;
      await this.#run();
    }
    this.#isRunning = false;
  }
}
