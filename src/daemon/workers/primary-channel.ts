/** The messages between the primary process and its workers, and the worker's end of them. */
import type { ImapdConf } from "../../config/imapd-conf.ts";
import type { Report } from "../../metrics/report.ts";
import type { ServedSocket } from "../../net/listener.ts";
import type { ShutdownMode } from "../shutdown.ts";

/** From the primary process to a worker. It sends the options, since a worker may have no right to read the file. */
export type WorkerCommand =
  | { readonly command: "configure"; readonly conf: ImapdConf }
  | { readonly command: "report" }
  | { readonly command: "shutdown"; readonly mode: ShutdownMode };

/** From a worker: it serves with the configuration that was sent last, or keeps the one before. */
export type WorkerStatus = "serving" | "refused";

/** The part of a worker's `process` that exchanges messages. */
export interface WorkerChannel {
  on(event: "message", listener: (command: unknown) => void): unknown;
  on(event: "disconnect", listener: () => void): unknown;
  send?(message: WorkerStatus | Report): unknown;
  disconnect?(): void;
}

/** How a worker carries out commands. */
export interface WorkerCommands {
  /** There is a new configuration. */
  configure(): void;
  shutdown(reason: string, mode: ShutdownMode): void;
}

/** First descriptor of a worker's listening sockets. */
const FIRST_SOCKET = 3;

/** The environment of a worker. Only the primary process notifies systemd. */
export function workerEnvironment(
  env: Readonly<Record<string, string | undefined>>,
  pid: number,
  sockets: readonly ServedSocket[],
): Record<string, string | undefined> {
  const { NOTIFY_SOCKET, WATCHDOG_USEC, WATCHDOG_PID, ...rest } = env;
  const served = sockets.map(({ name, protocol }) => ({ name, protocol }));
  return { ...rest, SMMAPD_PRIMARY: String(pid), SMMAPD_SOCKETS: JSON.stringify(served) };
}

export class PrimaryChannel {
  readonly sockets: readonly ServedSocket[];
  readonly #channel: WorkerChannel;
  #commands: WorkerCommands | null = null;
  #report: (() => Report) | null = null;
  /** The latest configuration. */
  #conf: ImapdConf | null = null;
  #wake: () => void = () => {};

  private constructor(sockets: readonly ServedSocket[], channel: WorkerChannel) {
    this.sockets = sockets;
    this.#channel = channel;
    channel.on("message", (message) => this.#receive(message as WorkerCommand));
    channel.on("disconnect", () => this.#commands?.shutdown("the primary process has exited", "drain"));
  }

  /** @returns null: the process is not a worker of its parent */
  static detect(
    env: Readonly<Record<string, string | undefined>>,
    parent: number,
    channel: WorkerChannel,
  ): PrimaryChannel | null {
    if (env.SMMAPD_PRIMARY !== String(parent)) return null;
    const served = JSON.parse(env.SMMAPD_SOCKETS ?? "[]") as Omit<ServedSocket, "fd">[];
    const sockets = served.map((socket, i) => ({ ...socket, fd: FIRST_SOCKET + i }));
    return new PrimaryChannel(sockets, channel);
  }

  onCommand(commands: WorkerCommands): void {
    this.#commands = commands;
  }

  /** @param report the counters of this process so far */
  onReport(report: () => Report): void {
    this.#report = report;
  }

  /** The latest configuration; waits for the first one. */
  async configuration(): Promise<ImapdConf> {
    while (this.#conf === null) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    return this.#conf;
  }

  sendStatus(status: WorkerStatus): void {
    this.#channel.send?.(status);
  }

  /** Closes the channel, which would keep the process running. */
  disconnect(): void {
    this.#channel.disconnect?.();
  }

  #receive(message: WorkerCommand): void {
    if (message.command === "shutdown") {
      this.#commands?.shutdown("requested by the primary process", message.mode);
      return;
    }
    if (message.command === "report") {
      if (this.#report !== null) this.#channel.send?.(this.#report());
      return;
    }
    const isFirst = this.#conf === null;
    this.#conf = message.conf;
    if (isFirst) this.#wake();
    else this.#commands?.configure();
  }
}
