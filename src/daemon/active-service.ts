/** The service that the daemon answers with. A reload replaces it as a whole. */
import type { Limits } from "../config/limits.ts";
import type { ServerSettings, SettingsSource } from "../net/server.ts";
import { fitOpenFiles, openFilesMax } from "./fd-limit.ts";
import { type Configuration, type Service, type ServiceOptions, startService } from "./service.ts";

/** A service, with what else of its configuration is in force. */
export interface DaemonService extends Service {
  /** Limits of the server, within the limit of open files. */
  readonly limits: Limits;
  /** Milliseconds. */
  readonly drainTimeout: number;
}

/** Opens the store. @throws Error: then nothing stays open */
export async function openDaemonService(configuration: Configuration, options: ServiceOptions): Promise<DaemonService> {
  const { settings, process: own } = configuration;
  const limits = fitOpenFiles(settings.limits, openFilesMax(), options.log);
  return { ...(await startService(configuration, options)), limits, drainTimeout: own.drainTimeout };
}

/** Holds the current service. The server and the status reporter read it on each use, so that a swap takes effect immediately. */
export class ActiveService<S extends ServerSettings = DaemonService> implements SettingsSource {
  #current: S | null;
  readonly #listeners: ((service: S) => void)[] = [];

  /** @param current null: the service is not open yet */
  constructor(current: S | null = null) {
    this.#current = current;
  }

  get current(): S | null {
    return this.#current;
  }

  /** Puts a service into force. @returns the previous one, which is still open */
  swap(next: S): S | null {
    const previous = this.#current;
    this.#current = next;
    for (const listener of this.#listeners) listener(next);
    return previous;
  }

  /** Calls a listener after each swap; it must not throw. */
  onSwap(listener: (service: S) => void): void {
    this.#listeners.push(listener);
  }
}
