/**
 * What systemd is told (sd_notify(3)), by way of systemd-notify(1): Node.js has no datagram sockets of the UNIX domain.
 * The unit needs NotifyAccess=all.
 */
import { spawn } from "node:child_process";
import type { Log } from "../store/store.ts";

export class Systemd {
  readonly #log: Log;
  readonly #isListening: boolean;
  /** Milliseconds between signs of life; 0: nobody waits for any. */
  readonly #period: number;
  #beat: NodeJS.Timeout | undefined;

  constructor(env: Readonly<Record<string, string | undefined>>, pid: number, log: Log) {
    this.#log = log;
    this.#isListening = env.NOTIFY_SOCKET !== undefined;
    const isWatched = env.WATCHDOG_PID === undefined || env.WATCHDOG_PID === String(pid);
    // Half the time, as sd_watchdog_enabled(3) recommends; it comes in microseconds.
    this.#period = isWatched ? Number(env.WATCHDOG_USEC ?? 0) / 2000 : 0;
  }

  /** The program serves. */
  ready(): void {
    if (!this.#isListening) return;
    this.#notify("READY=1");
    if (this.#period > 0) this.#beat = setInterval(() => this.#notify("WATCHDOG=1"), this.#period).unref();
  }

  /** The program has been told to end. Signs of life go on meanwhile. */
  stopping(): void {
    if (this.#isListening) this.#notify("STOPPING=1");
  }

  close(): void {
    clearInterval(this.#beat);
  }

  #notify(state: string): void {
    const child = spawn("systemd-notify", [state], { stdio: "ignore" });
    const complain = (problem: string) => this.#log.warning(`systemd-notify ${state}: ${problem}`);
    child.once("error", (error) => complain(error.message));
    child.once("exit", (status, signal) => {
      if (status !== 0) complain(`ended with ${signal ?? `status ${status}`}`);
    });
  }
}
