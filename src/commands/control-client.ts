/** Sends requests to running daemons over their control sockets. */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { text } from "node:stream/consumers";
import { loadConfig } from "../config/config.ts";
import { readIdentity } from "../config/process-settings.ts";
import { readControlSocket } from "../config/settings.ts";
import { type Io, UnavailableError } from "../io.ts";
import { type ControlReply, type ControlRequest, findControlPaths, folderAdvice } from "../monitor/control-protocol.ts";
import { ConfigError } from "../store/store.ts";

/** Milliseconds for a reply. The status of a store that hangs takes as long as the time-out of a look-up. */
const REPLY_TIMEOUT = 60_000;

/**
 * The replies of all processes with a socket at smmap_control_socket, in the order of their process ids.
 * @throws ConfigError where control sockets are disabled, UnavailableError where no process answers
 */
export async function askAll(
  configFile: string,
  request: ControlRequest,
  { env }: Pick<Io, "env">,
): Promise<readonly ControlReply[]> {
  const config = loadConfig({ file: configFile, env });
  const prefix = readControlSocket(config);
  if (prefix === null) throw new ConfigError("smmap_control_socket is disabled, so no daemon can be reached");
  const replies = await Promise.all(findControlPaths(prefix).map((path) => ask(path, request)));
  const answered = replies.filter((reply) => reply !== null);
  if (answered.length === 0) {
    const advice = folderAdvice(prefix, readIdentity(config, env).user);
    throw new UnavailableError(advice ?? `no smmapd is listening on ${prefix}.*`);
  }
  return answered;
}

/** null: the process of the socket has exited. */
async function ask(path: string, request: ControlRequest): Promise<ControlReply | null> {
  const socket = await open(path);
  if (socket === null) return null;
  socket.setTimeout(REPLY_TIMEOUT, () => socket.destroy(new Error("no answer")));
  socket.end(`${JSON.stringify(request)}\n`);
  const reply = await text(socket);
  return reply === "" ? null : JSON.parse(reply);
}

async function open(path: string): Promise<Socket | null> {
  const socket = connect(path);
  try {
    await once(socket, "connect");
    return socket;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === "ECONNREFUSED" || code === "ENOENT") return null;
    const advice = code === "EACCES" ? "only root and the user that the daemon runs as may connect" : message;
    throw new UnavailableError(`${path}: ${advice}`, { cause: error });
  }
}
