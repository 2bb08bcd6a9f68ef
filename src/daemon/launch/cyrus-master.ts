/**
 * Cyrus' master(8), as a service sees it (master/service.c): it forks us with a pipe for status messages on descriptor 3
 * and the listening socket on descriptor 4, and counts by the messages who can take connections and whose end is a crash.
 */
import { fstatSync, writeSync } from "node:fs";
import { endianness } from "node:os";

/** Descriptors that master has left open for us. */
export interface MasterDescriptors {
  /** Pipe for messages. */
  readonly status: number;
  /** Listening socket. */
  readonly listen: number;
}

const DESCRIPTORS: MasterDescriptors = { status: 3, listen: 4 };

/** Messages of master/service.h. A fresh child counts as ready, so there is nothing to say at the start. */
const UNAVAILABLE = 2;
/** One more connection of a service that serves many of them at once, and stays ready. */
const CONNECTION_MULTI = 4;

export class Master {
  /** Name of the service in cyrus.conf. */
  readonly service: string;
  /** Descriptor of the listening socket. */
  readonly socket: number;
  readonly #status: number;
  readonly #pid: number;
  #isUnavailable = false;
  /** It has ended, and left us behind. */
  #isGone = false;

  private constructor(service: string, pid: number, { status, listen }: MasterDescriptors) {
    this.service = service;
    this.socket = listen;
    this.#status = status;
    this.#pid = pid;
  }

  /**
   * @param pid of the child that master knows
   * @returns null: we are no child of master's. The variable alone says little, for a shell below master has it too; so
   * do the descriptors, which Node.js may have opened for itself.
   */
  static find(
    env: Readonly<Record<string, string | undefined>>,
    pid: number,
    descriptors = DESCRIPTORS,
  ): Master | null {
    const { CYRUS_SERVICE: service } = env;
    const { status, listen } = descriptors;
    const isChild = service !== undefined && kindOf(status) === "pipe" && kindOf(listen) === "socket";
    return isChild ? new Master(service, pid, descriptors) : null;
  }

  /** Whether it has ended; known from the message that it did not take. */
  get isGone(): boolean {
    return this.#isGone;
  }

  /** A connection was accepted. */
  reportConnection(): void {
    // One that came just before we stopped listening: told now, master would take us for available.
    if (!this.#isUnavailable) this.#report(CONNECTION_MULTI);
  }

  /** No more connections from here on. An end after this is a planned one, whatever its status. */
  reportUnavailable(): void {
    if (this.#isUnavailable) return;
    this.#isUnavailable = true;
    this.#report(UNAVAILABLE);
  }

  /** struct notify_message: two integers in the order of the host. */
  #report(message: number): void {
    const bytes = new DataView(new ArrayBuffer(8));
    const isLittle = endianness() === "LE";
    bytes.setInt32(0, message, isLittle);
    bytes.setInt32(4, this.#pid, isLittle);
    try {
      writeSync(this.#status, bytes);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EPIPE") throw error;
      this.#isGone = true;
    }
  }
}

function kindOf(fd: number): "pipe" | "socket" | null {
  try {
    const stat = fstatSync(fd);
    return stat.isFIFO() ? "pipe" : stat.isSocket() ? "socket" : null;
  } catch {
    // There is no such descriptor.
    return null;
  }
}
