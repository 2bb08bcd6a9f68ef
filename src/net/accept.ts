/**
 * Clients that are read into one buffer. Node.js makes a buffer for each chunk that it reads; for the few octets of a
 * request, making and collecting it costs a sixth of all that answering takes. Its sockets can do without (`onread`), but
 * it documents that only for connections that one opens. Where its inside is not as we know it, clients are accepted its
 * own way.
 */
import { type Server, Socket } from "node:net";
import { Arrivals } from "./accept-batch.ts";

/** What a listening socket is within Node.js. */
interface ListeningHandle {
  onconnection?: (this: ListeningHandle, error: number, client?: ClientHandle) => void;
}

interface ClientHandle {
  readonly useUserBuffer?: () => void;
}

/** As much as Node.js reads at once by itself. */
const buffer = Buffer.allocUnsafeSlow(64 * 1024);

/**
 * Accepts the clients of a server that listens already. Chunks of "data" are overwritten once its listeners have
 * returned; the server's event "connection" is not emitted.
 * @returns whom it has accepted and not told of; to be welcomed when it has stopped listening
 */
export function acceptIntoOneBuffer(
  server: Server,
  onConnection: (socket: Socket) => void,
): Pick<Arrivals<ClientHandle>, "welcome"> {
  const handle = (server as unknown as { readonly _handle: ListeningHandle | null })._handle;
  const arrivals = new Arrivals<ClientHandle>((client) => {
    const socket = socketOf(client);
    socket.once("close", leave);
    onConnection(socket);
  });
  const leave = () => arrivals.leave();
  const accept = handle?.onconnection;
  if (handle !== null && typeof accept === "function") {
    handle.onconnection = (error, client) => {
      if (error !== 0 || typeof client?.useUserBuffer !== "function") accept.call(handle, error, client);
      else arrivals.add(client);
    };
  }
  return arrivals;
}

function socketOf(handle: ClientHandle): Socket {
  const socket = new Socket({
    handle,
    allowHalfOpen: true,
    readable: true,
    writable: true,
    onread: { buffer, callback: receive },
    // Node.js adds these by itself, but then V8 makes a shape of its own for each one's options, and forgets it again.
    emitClose: false,
    autoDestroy: true,
    decodeStrings: false,
  } as object);
  socket.setNoDelay();
  return socket;

  /** @returns false: nothing more is to be read for now */
  function receive(length: number): boolean {
    const chunk = buffer.subarray(0, length);
    // Nobody listens yet, so it has to be kept for them.
    if (socket.readableFlowing !== true) return socket.push(Buffer.from(chunk));
    socket.emit("data", chunk);
    return true;
  }
}
