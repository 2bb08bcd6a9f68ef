/**
 * Everything that relies on undocumented parts of Node.js: the handle of a server or stream (`_handle`), and sockets that
 * read into a buffer of the program (`onread`), which Node.js documents for outgoing connections only. Where the parts have
 * another form than expected, `interceptAccept` and `setNonBlocking` do nothing, and Node.js goes its own way.
 */
import { type Server, Socket } from "node:net";
import type { Writable } from "node:stream";

/** The handle of a listening server. */
interface ListeningHandle {
  readonly fd: number;
  onconnection?: (this: ListeningHandle, error: number, client?: ClientHandle) => void;
}

/** The handle of an accepted connection. */
export interface ClientHandle {
  readonly useUserBuffer?: () => void;
}

/** As much as Node.js reads at once by itself. Shared by all sockets. */
const buffer = Buffer.allocUnsafeSlow(64 * 1024);

function handleOf(server: Server): ListeningHandle | null {
  return (server as unknown as { readonly _handle: ListeningHandle | null })._handle;
}

/** The descriptor of a listening socket; there is no documented way to hand one to a program that is started. */
export function descriptorOf(server: Server): number {
  return (handleOf(server) as ListeningHandle).fd;
}

/**
 * Passes each accepted handle to `onAccept` in place of the server's event "connection". Errors, and handles that cannot
 * read into the shared buffer, are left to Node.js.
 */
export function interceptAccept(server: Server, onAccept: (client: ClientHandle) => void): void {
  const handle = handleOf(server);
  const original = handle?.onconnection;
  if (handle === null || typeof original !== "function") return;
  handle.onconnection = (error, client) => {
    if (error !== 0 || typeof client?.useUserBuffer !== "function") original.call(handle, error, client);
    else onAccept(client);
  };
}

/**
 * A socket that reads into the shared buffer: a chunk of "data" is valid only until its listeners have returned. Allocating
 * and collecting a buffer for each chunk, as Node.js does, takes a sixth of the time of a request.
 */
export function socketWithSharedBuffer(handle: ClientHandle): Socket {
  const socket = new Socket({
    handle,
    allowHalfOpen: true,
    readable: true,
    writable: true,
    onread: { buffer, callback: onRead },
    // Node.js would add these, but then V8 creates and drops a hidden class for the options of each socket.
    emitClose: false,
    autoDestroy: true,
    decodeStrings: false,
  } as object);
  socket.setNoDelay();
  return socket;

  /** @returns false: reading stops until the stream is read from */
  function onRead(length: number): boolean {
    const chunk = buffer.subarray(0, length);
    // Without a listener for "data" the chunk is stored in the stream, and needs memory of its own.
    if (socket.readableFlowing !== true) return socket.push(Buffer.from(chunk));
    socket.emit("data", chunk);
    return true;
  }
}

/**
 * Makes writes to a terminal asynchronous, as they are to pipes and sockets. A stopped terminal (Ctrl-S) would otherwise
 * block the process.
 */
export function setNonBlocking(terminal: Writable): void {
  const { _handle } = terminal as Writable & { readonly _handle?: { setBlocking?(isBlocking: boolean): void } };
  _handle?.setBlocking?.(false);
}
