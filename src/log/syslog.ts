/**
 * Syslog through one long-lived logger(1) of util-linux, which reads lines from us: Node.js has no datagram sockets of
 * the UNIX domain, and a process of its own can wait for a slow syslog daemon in our place.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { Outlet } from "./buffered-sink.ts";
import { bareFormat, type Entry, entryOf, prefixFormat } from "./entry.ts";
import { Queue } from "./queue.ts";
import { resolvesWithin } from "./timeout.ts";

export interface SyslogOptions {
  /** Tag of each line, such as cyrus/smmap. */
  readonly ident: string;
  readonly pid: number;
  /** Number of RFC 5424 section 6.2.1. */
  readonly facility: number;
  /** Takes what syslog does not. */
  readonly fallback: (entry: Entry) => void;
}

/** Milliseconds after which a logger that still runs is taken to work. What it was given is remembered until then. */
const TRIAL = 1_000;
/** Milliseconds until the next attempt after a logger that did not work. */
const REST = 10_000;
/** Milliseconds for the last lines at the end. */
const CLOSING_MAX = 1_000;
/** Characters of what a logger says of its troubles. */
const WORDS_MAX = 500;
/** Octets of a line: each of a message's octets can become four. */
const LINE_MAX = "32KiB";

export class Syslog {
  readonly #options: SyslogOptions;
  readonly #outlet: Outlet;
  #logger: ChildProcess | null = null;
  /** What the present logger was given or shall be given; null once it is taken to work. */
  #trial: Queue | null = null;
  #restsUntil = 0;
  #complaint = "";
  #isClosing = false;

  constructor(options: SyslogOptions) {
    this.#options = options;
    this.#outlet = new Outlet(prefixFormat(options.facility, bareFormat));
  }

  write(entry: Entry): void {
    if (this.#logger === null && !this.#isClosing && performance.now() >= this.#restsUntil) this.#start();
    if (this.#logger === null) {
      this.#options.fallback(entry);
      return;
    }
    this.#outlet.write(entry);
    this.#trial?.push(entry);
  }

  /** Waits for the last lines, but not for long. */
  async close(): Promise<void> {
    this.#isClosing = true;
    const logger = this.#logger;
    if (logger === null) return;
    const closed = once(logger, "close");
    await resolvesWithin(CLOSING_MAX, this.#outlet.drained());
    logger.stdin?.end();
    if (await resolvesWithin(CLOSING_MAX, closed)) return;
    logger.kill("SIGKILL");
    await resolvesWithin(CLOSING_MAX, closed);
  }

  #start(): void {
    const logger = this.#spawn();
    if (logger === null) return;
    this.#logger = logger;
    this.#trial = new Queue();
    const trial = setTimeout(() => this.#succeed(), TRIAL).unref();
    let words = "";
    const end = (reason: string, isExpected: boolean) => {
      clearTimeout(trial);
      if (this.#logger === logger) this.#ended(words === "" ? reason : `${reason}: ${words.trim()}`, isExpected);
    };
    logger.on("error", (error) => end(error.message, false));
    logger.once("close", (status, signal) => {
      end(`logger ended with ${signal ?? `status ${status}`}`, this.#isClosing && status === 0);
    });
    // Absent where there were no descriptors left for them; an "error" of the process says so.
    const { stdin, stderr } = logger as Partial<ChildProcess>;
    stderr?.on("data", (chunk: Buffer) => {
      words = (words + chunk.toString()).slice(-WORDS_MAX);
    });
    // Nothing to do: "close" follows.
    stdin?.on("error", () => {});
    if (stdin) this.#outlet.connect(stdin);
  }

  #spawn(): ChildProcess | null {
    const { ident, pid } = this.#options;
    const format = ["--prio-prefix", "--size", LINE_MAX, "--tag", ident, `--id=${pid}`];
    try {
      // A session of its own, so that Ctrl-C at our terminal does not end it before the last lines.
      const stdio = ["pipe", "ignore", "pipe"] as const;
      return spawn("logger", ["--socket-errors=on", ...format], { stdio: [...stdio], detached: true });
    } catch (error) {
      this.#failed(error instanceof Error ? error.message : String(error));
      return null;
    }
  }

  /** The trial is over. */
  #succeed(): void {
    this.#trial = null;
    if (this.#complaint !== "") this.write(entryOf("notice", "syslog: logger works again"));
    this.#complaint = "";
  }

  #ended(reason: string, isExpected: boolean): void {
    const trial = this.#trial;
    const waiting = this.#outlet.take();
    this.#logger = null;
    this.#trial = null;
    this.#outlet.disconnect();
    if (isExpected) return;
    if (trial !== null) {
      this.#failed(reason);
      for (const entry of trial.take()) this.#options.fallback(entry);
      return;
    }
    // It worked, so the next one will. What it had read and not passed on is gone.
    this.write(entryOf("warning", `syslog: ${reason}; lines may be lost`));
    for (const entry of waiting) this.write(entry);
  }

  #failed(reason: string): void {
    this.#restsUntil = performance.now() + REST;
    if (reason === this.#complaint) return;
    this.#complaint = reason;
    this.#options.fallback(entryOf("error", `syslog: ${reason}; log lines go to standard error meanwhile`));
  }
}
