/**
 * Syslog through one long-lived logger(1) of util-linux, which reads lines from a pipe: Node.js has no datagram sockets of
 * the UNIX domain, and a separate process can block on a slow syslog daemon without blocking the daemon.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { BufferedSink } from "./buffered-sink.ts";
import { bareFormat, type Entry, entryOf, prefixFormat } from "./entry.ts";
import { EntryQueue } from "./queue.ts";
import { resolvesWithin } from "./timeout.ts";

export interface SyslogOptions {
  /** Tag of each line, such as cyrus/smmap. */
  readonly ident: string;
  readonly pid: number;
  /** Number of RFC 5424 section 6.2.1. */
  readonly facility: number;
  /** Receives the entries that cannot be passed to syslog. */
  readonly fallback: (entry: Entry) => void;
}

/** Milliseconds after which a logger that still runs is taken to work. Until then, its entries are kept for the fallback. */
const STARTUP_TIME = 1_000;
/** Milliseconds until the next attempt after a logger has failed. */
const RETRY_DELAY = 10_000;
/** Milliseconds for the last lines at the end. */
const CLOSING_MAX = 1_000;
/** Characters that are kept of the standard error of a logger. */
const STDERR_MAX = 500;
/** Octets of a line: escaping can turn each octet of a message into four. */
const LINE_MAX = "32KiB";

export class Syslog {
  readonly #options: SyslogOptions;
  readonly #sink: BufferedSink;
  #logger: ChildProcess | null = null;
  /** Entries of a logger that has just been started; null once it is taken to work. */
  #unconfirmed: EntryQueue | null = null;
  #retryAt = 0;
  #lastFailure = "";
  #isClosing = false;

  constructor(options: SyslogOptions) {
    this.#options = options;
    this.#sink = new BufferedSink(prefixFormat(options.facility, bareFormat));
  }

  write(entry: Entry): void {
    if (this.#logger === null && !this.#isClosing && performance.now() >= this.#retryAt) this.#start();
    if (this.#logger === null) {
      this.#options.fallback(entry);
      return;
    }
    this.#sink.write(entry);
    this.#unconfirmed?.push(entry);
  }

  /** Waits for the last lines, for a limited time. */
  async close(): Promise<void> {
    this.#isClosing = true;
    const logger = this.#logger;
    if (logger === null) return;
    const closed = once(logger, "close");
    await resolvesWithin(CLOSING_MAX, this.#sink.drained());
    logger.stdin?.end();
    if (await resolvesWithin(CLOSING_MAX, closed)) return;
    logger.kill("SIGKILL");
    await resolvesWithin(CLOSING_MAX, closed);
  }

  #start(): void {
    const logger = this.#spawn();
    if (logger === null) return;
    this.#logger = logger;
    this.#unconfirmed = new EntryQueue();
    const startup = setTimeout(() => this.#succeed(), STARTUP_TIME).unref();
    let stderrText = "";
    const end = (reason: string, isExpected: boolean) => {
      clearTimeout(startup);
      if (this.#logger === logger)
        this.#ended(stderrText === "" ? reason : `${reason}: ${stderrText.trim()}`, isExpected);
    };
    logger.on("error", (error) => end(error.message, false));
    logger.once("close", (status, signal) => {
      end(`logger ended with ${signal ?? `status ${status}`}`, this.#isClosing && status === 0);
    });
    // Undefined if there were no descriptors left; then the child emits "error".
    const { stdin, stderr } = logger as Partial<ChildProcess>;
    stderr?.on("data", (chunk: Buffer) => {
      stderrText = (stderrText + chunk.toString()).slice(-STDERR_MAX);
    });
    // Ignored, because "close" follows.
    stdin?.on("error", () => {});
    if (stdin) this.#sink.connect(stdin);
  }

  #spawn(): ChildProcess | null {
    const { ident, pid } = this.#options;
    const format = ["--prio-prefix", "--size", LINE_MAX, "--tag", ident, `--id=${pid}`];
    try {
      // A session of its own, so that Ctrl-C at the terminal does not end it before the last lines.
      const stdio = ["pipe", "ignore", "pipe"] as const;
      return spawn("logger", ["--socket-errors=on", ...format], { stdio: [...stdio], detached: true });
    } catch (error) {
      this.#failed(error instanceof Error ? error.message : String(error));
      return null;
    }
  }

  /** The logger is taken to work. */
  #succeed(): void {
    this.#unconfirmed = null;
    if (this.#lastFailure !== "") this.write(entryOf("notice", "syslog: logger is working again"));
    this.#lastFailure = "";
  }

  #ended(reason: string, isExpected: boolean): void {
    const unconfirmed = this.#unconfirmed;
    const waiting = this.#sink.take();
    this.#logger = null;
    this.#unconfirmed = null;
    this.#sink.disconnect();
    if (isExpected) return;
    if (unconfirmed !== null) {
      this.#failed(reason);
      for (const entry of unconfirmed.take()) this.#options.fallback(entry);
      return;
    }
    // This logger has worked, so the next one is started immediately. Lines that it had read but not sent are lost.
    this.write(entryOf("warning", `syslog: ${reason}; lines may be lost`));
    for (const entry of waiting) this.write(entry);
  }

  #failed(reason: string): void {
    this.#retryAt = performance.now() + RETRY_DELAY;
    if (reason === this.#lastFailure) return;
    this.#lastFailure = reason;
    this.#options.fallback(entryOf("error", `syslog: ${reason}; log lines go to standard error until it works`));
  }
}
