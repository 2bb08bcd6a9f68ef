/** The first of several processes, as a worker sees it; and what the two say to each other. */
import type { ImapdConf } from "../../config/imapd-conf.ts";
import type { Report } from "../../metrics/report.ts";
import type { ServedSocket } from "../../net/listener.ts";
import type { Haste } from "../shutdown.ts";

/** The first process has read the configuration, for a worker might not be allowed to. */
export type WorkerOrder =
  | { readonly order: "configure"; readonly conf: ImapdConf }
  | { readonly order: "report" }
  | { readonly order: "end"; readonly haste: Haste };

/** It serves with the configuration that it was told of, or it cannot. */
export type WorkerReport = "serving" | "refused";

/** What it takes of a worker's `process`. */
export interface WorkerChannel {
  on(event: "message", listener: (order: unknown) => void): unknown;
  on(event: "disconnect", listener: () => void): unknown;
  send?(message: WorkerReport | Report): unknown;
  disconnect?(): void;
}

/** Who hears orders. */
export interface WorkerDuties {
  /** There is another configuration. */
  configure(): void;
  end(reason: string, haste: Haste): void;
  /** What it has done so far; null: it has hardly begun. */
  report(): Report | null;
}

/** Descriptor of the first socket of a worker. */
const FIRST_SOCKET = 3;

/** The environment of a worker. What is said to systemd is said by the first process. */
export function workerEnvironment(
  env: Readonly<Record<string, string | undefined>>,
  pid: number,
  sockets: readonly ServedSocket[],
): Record<string, string | undefined> {
  const { NOTIFY_SOCKET, WATCHDOG_USEC, WATCHDOG_PID, ...rest } = env;
  const served = sockets.map(({ name, protocol }) => ({ name, protocol }));
  return { ...rest, SMMAPD_PRIMARY: String(pid), SMMAPD_SOCKETS: JSON.stringify(served) };
}

export class Primary {
  readonly sockets: readonly ServedSocket[];
  readonly #channel: WorkerChannel;
  #duties: WorkerDuties | null = null;
  /** The newest one. */
  #conf: ImapdConf | null = null;
  #wake: () => void = () => {};

  private constructor(sockets: readonly ServedSocket[], channel: WorkerChannel) {
    this.sockets = sockets;
    this.#channel = channel;
    channel.on("message", (order) => this.#obey(order as WorkerOrder));
    channel.on("disconnect", () => this.#duties?.end("the first process is gone", "drain"));
  }

  /** @returns null: we are no worker of our parent's */
  static find(
    env: Readonly<Record<string, string | undefined>>,
    parent: number,
    channel: WorkerChannel,
  ): Primary | null {
    if (env.SMMAPD_PRIMARY !== String(parent)) return null;
    const served = JSON.parse(env.SMMAPD_SOCKETS ?? "[]") as Omit<ServedSocket, "fd">[];
    const sockets = served.map((socket, i) => ({ ...socket, fd: FIRST_SOCKET + i }));
    return new Primary(sockets, channel);
  }

  serve(duties: WorkerDuties): void {
    this.#duties = duties;
  }

  /** The configuration to serve with; waits for the first one. */
  async conf(): Promise<ImapdConf> {
    while (this.#conf === null) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    return this.#conf;
  }

  report(report: WorkerReport): void {
    this.#channel.send?.(report);
  }

  /** Without which the process would not end. */
  leave(): void {
    this.#channel.disconnect?.();
  }

  #obey(order: WorkerOrder): void {
    if (order.order === "end") {
      this.#duties?.end("told by the first process", order.haste);
      return;
    }
    if (order.order === "report") {
      const report = this.#duties?.report();
      if (report) this.#channel.send?.(report);
      return;
    }
    const isFirst = this.#conf === null;
    this.#conf = order.conf;
    if (isFirst) this.#wake();
    else this.#duties?.configure();
  }
}
