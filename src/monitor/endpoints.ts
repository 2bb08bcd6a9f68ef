/** All that lets the running daemon be watched. None of it is worth a mail that is not answered: what fails is told. */
import type { Settings } from "../config/settings.ts";
import type { Listener, SocketRights } from "../net/listener.ts";
import type { Log } from "../store/store.ts";
import { openControl } from "./control-server.ts";
import { loadExposition, openMetrics } from "./metrics-server.ts";
import type { Reporter } from "./status-report.ts";

export interface ObservationOptions {
  readonly settings: Pick<Settings, "controlSocket" | "metricsListen">;
  /** false: the process is one of many that come and go, so it serves no metrics. */
  readonly isLasting: boolean;
  readonly pid: number;
  /** Whom the control socket belongs to; null: as it comes. */
  readonly uid: number | null;
  readonly gid: number | null;
  /** Name or number of the user that serves, for messages. */
  readonly owner: string;
  /** Of sockets for metrics. */
  readonly rights: SocketRights;
  readonly reporter: Reporter;
  readonly log: Log;
}

export class Observation {
  readonly #listeners: readonly Listener[];

  private constructor(listeners: readonly Listener[]) {
    this.#listeners = listeners;
  }

  /** @throws ConfigError where metrics are wanted and prom-client cannot be loaded */
  static async open(options: ObservationOptions): Promise<Observation> {
    const { settings, isLasting, log } = options;
    const { controlSocket: beginning, metricsListen } = settings;
    const opened: (Listener | null)[] = [];
    if (beginning !== null) opened.push(await attempt(() => openControl({ ...options, beginning }), log));
    if (!isLasting && metricsListen.length > 0) log.warning("smmap_metrics_listen counts for nothing under master(8)");
    const served = isLasting ? metricsListen : [];
    // A missing package is a mistake in the installation, which ends the start; an address in use is only logged.
    if (served.length > 0) await loadExposition();
    for (const address of served) {
      const listener = await attempt(() => openMetrics(address, options), log);
      if (listener !== null) log.notice(`serving metrics on ${listener.name}`);
      opened.push(listener);
    }
    return new Observation(opened.filter((listener) => listener !== null));
  }

  close(): void {
    for (const listener of this.#listeners) listener.close();
  }
}

async function attempt(open: () => Promise<Listener>, log: Log): Promise<Listener | null> {
  try {
    return await open();
  } catch (error) {
    log.warning(error instanceof Error ? error.message : String(error));
    return null;
  }
}
