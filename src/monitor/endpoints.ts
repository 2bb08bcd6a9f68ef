/** The control socket and the metrics servers. A failure to open one is logged and does not keep the daemon from serving. */
import type { Settings } from "../config/settings.ts";
import type { Listener, SocketRights } from "../net/listener.ts";
import type { Log } from "../store/store.ts";
import { openControl } from "./control-server.ts";
import { loadExposition, openMetrics } from "./metrics-server.ts";
import type { StatusReporter } from "./status-report.ts";

export interface EndpointOptions {
  readonly settings: Pick<Settings, "controlSocket" | "metricsListen">;
  /** false: the process is one of many short-lived ones, and serves no metrics. */
  readonly isLongLived: boolean;
  readonly pid: number;
  /** Owner of the control socket; null: the user of the process. */
  readonly uid: number | null;
  readonly gid: number | null;
  /** Name or number of the user that the daemon runs as, for messages. */
  readonly owner: string;
  /** Of metrics sockets. */
  readonly rights: SocketRights;
  readonly reporter: StatusReporter;
  readonly log: Log;
}

export class MonitorEndpoints {
  readonly #listeners: readonly Listener[];

  private constructor(listeners: readonly Listener[]) {
    this.#listeners = listeners;
  }

  /** @throws ConfigError where metrics are wanted and prom-client cannot be loaded */
  static async open(options: EndpointOptions): Promise<MonitorEndpoints> {
    const { settings, isLongLived, log } = options;
    const { controlSocket: prefix, metricsListen } = settings;
    const opened: (Listener | null)[] = [];
    if (prefix !== null) opened.push(await attempt(() => openControl({ ...options, prefix }), log));
    if (!isLongLived && metricsListen.length > 0) log.warning("smmap_metrics_listen is ignored under master(8)");
    const served = isLongLived ? metricsListen : [];
    // A missing package is an error of the installation and ends the start; an address in use is only logged.
    if (served.length > 0) await loadExposition();
    for (const address of served) {
      const listener = await attempt(() => openMetrics(address, options), log);
      if (listener !== null) log.notice(`serving metrics on ${listener.name}`);
      opened.push(listener);
    }
    return new MonitorEndpoints(opened.filter((listener) => listener !== null));
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
