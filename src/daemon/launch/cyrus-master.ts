/**
 * The protocol between Cyrus' master(8) and a service (master/service.c): master forks a child with a pipe for status
 * messages on descriptor 3 and the listening socket on descriptor 4. From the messages it knows which children accept
 * connections and whether an exit is a crash.
 */
import { fstatSync, writeSync } from "node:fs";
import { endianness } from "node:os";

/** Descriptors that a child inherits from master. */
export interface MasterDescriptors {
  /** Pipe for messages. */
  readonly status: number;
  /** Listening socket. */
  readonly listen: number;
}

const DESCRIPTORS: MasterDescriptors = { status: 3, listen: 4 };

/** Messages of master/service.h. Master counts a new child as ready, so no message is sent at startup. */
const UNAVAILABLE = 2;
/** A connection was accepted by a service that serves many at once, and stays ready. */
const CONNECTION_MULTI = 4;

export class CyrusMaster {
  /** Name of the service in cyrus.conf. */
  readonly service: string;
  /** Descriptor of the listening socket. */
  readonly socket: number;
  readonly #status: number;
  readonly #pid: number;
  #isUnavailable = false;
  #isGone = false;

  private constructor(service: string, pid: number, { status, listen }: MasterDescriptors) {
    this.service = service;
    this.socket = listen;
    this.#status = status;
    this.#pid = pid;
  }

  /**
   * Variable and descriptors are both checked: programs started below a service inherit the variable, and Node.js may have
   * opened the descriptors for itself.
   * @param pid of the child that master knows
   * @returns null: the process is not a child of master's
   */
  static detect(
    env: Readonly<Record<string, string | undefined>>,
    pid: number,
    descriptors = DESCRIPTORS,
  ): CyrusMaster | null {
    const { CYRUS_SERVICE: service } = env;
    const { status, listen } = descriptors;
    const isChild = service !== undefined && kindOf(status) === "pipe" && kindOf(listen) === "socket";
    return isChild ? new CyrusMaster(service, pid, descriptors) : null;
  }

  /** Whether master has exited, as seen when a message could not be sent. */
  get isGone(): boolean {
    return this.#isGone;
  }

  /** Reports an accepted connection. */
  reportConnection(): void {
    // After "unavailable" the message would make master count this process as available again.
    if (!this.#isUnavailable) this.#report(CONNECTION_MULTI);
  }

  /** Reports that no more connections are accepted. Master takes an exit after this as planned, whatever its status. */
  reportUnavailable(): void {
    if (this.#isUnavailable) return;
    this.#isUnavailable = true;
    this.#report(UNAVAILABLE);
  }

  /** Sends a struct notify_message: two integers in host byte order. */
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
