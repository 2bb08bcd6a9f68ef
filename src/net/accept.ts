/** Accepts clients in batches, on sockets that share one buffer. */
import type { Server, Socket } from "node:net";
import { AcceptBatch } from "./accept-batch.ts";
import { type ClientHandle, interceptAccept, socketWithSharedBuffer } from "./node-internals.ts";

/**
 * Takes over accepting from a server that listens. Chunks of "data" are overwritten once their listeners have returned.
 * Where the internals of Node.js are not as expected, clients arrive through the server's event "connection" as usual.
 * @returns the batch; to be flushed when the server has stopped listening
 */
export function acceptWithSharedBuffer(
  server: Server,
  onConnection: (socket: Socket) => void,
): Pick<AcceptBatch<ClientHandle>, "flush"> {
  const onClose = () => batch.onClose();
  const batch = new AcceptBatch<ClientHandle>((client) => {
    const socket = socketWithSharedBuffer(client);
    socket.once("close", onClose);
    onConnection(socket);
  });
  interceptAccept(server, (client) => batch.add(client));
  return batch;
}
