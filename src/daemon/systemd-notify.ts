/**
 * Notifies systemd (sd_notify(3)) through systemd-notify(1), since Node.js has no datagram sockets of the UNIX domain. The
 * unit needs NotifyAccess=all.
 */
import { spawn } from "node:child_process";
import type { Log } from "../store/store.ts";

export class SystemdNotifier {
  readonly #log: Log;
  readonly #isEnabled: boolean;
  /** Milliseconds between watchdog messages; 0: the watchdog is off. */
  readonly #interval: number;
  #watchdog: NodeJS.Timeout | undefined;

  constructor(env: Readonly<Record<string, string | undefined>>, pid: number, log: Log) {
    this.#log = log;
    this.#isEnabled = env.NOTIFY_SOCKET !== undefined;
    const isWatched = env.WATCHDOG_PID === undefined || env.WATCHDOG_PID === String(pid);
    // Half the time-out, as sd_watchdog_enabled(3) recommends; the variable is in microseconds.
    this.#interval = isWatched ? Number(env.WATCHDOG_USEC ?? 0) / 2000 : 0;
  }

  /** Reports that the daemon serves, and starts the watchdog messages. */
  ready(): void {
    if (!this.#isEnabled) return;
    this.#notify("READY=1");
    if (this.#interval > 0) this.#watchdog = setInterval(() => this.#notify("WATCHDOG=1"), this.#interval).unref();
  }

  /** Reports that the daemon is shutting down. The watchdog messages continue. */
  stopping(): void {
    if (this.#isEnabled) this.#notify("STOPPING=1");
  }

  /** Stops the watchdog messages. */
  close(): void {
    clearInterval(this.#watchdog);
  }

  #notify(state: string): void {
    const child = spawn("systemd-notify", [state], { stdio: "ignore" });
    const warn = (problem: string) => this.#log.warning(`systemd-notify ${state}: ${problem}`);
    child.once("error", (error) => warn(error.message));
    child.once("exit", (status, signal) => {
      if (status !== 0) warn(`ended with ${signal ?? `status ${status}`}`);
    });
  }
}
