/** The control socket, which serves `smmapd status` and `smmapd purge`. */
import type { Socket } from "node:net";
import { pipeline } from "node:stream/promises";
import { type Listener, listen, removeStaleSocket } from "../net/listener.ts";
import { ConfigError } from "../store/store.ts";
import {
  type ControlReply,
  controlPath,
  findControlPaths,
  folderAdvice,
  parseControlRequest,
  REQUEST_MAX,
} from "./control-protocol.ts";
import type { StatusReporter } from "./status-report.ts";

export interface ControlOptions {
  /** smmap_control_socket. */
  readonly prefix: string;
  readonly pid: number;
  /** Owner of the socket; null: the user of the process. */
  readonly uid: number | null;
  readonly gid: number | null;
  /** Name or number of the user that the daemon runs as, for messages. */
  readonly owner: string;
  readonly reporter: StatusReporter;
}

/** For the owner only, because the status contains addresses of requests. */
const MODE = 0o600;
const CONNECTIONS_MAX = 16;
/** Milliseconds. */
const IDLE_TIMEOUT = 60_000;

/** @throws ConfigError where the socket cannot be opened */
export async function openControl(options: ControlOptions): Promise<Listener> {
  const { prefix, pid, uid, gid, owner, reporter } = options;
  const advice = folderAdvice(prefix, owner);
  if (advice !== null) throw new ConfigError(advice);
  const sockets = new Set<Socket>();
  const onConnection = (socket: Socket) => {
    if (sockets.size >= CONNECTIONS_MAX) {
      socket.destroy();
      return;
    }
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
    socket.setTimeout(IDLE_TIMEOUT, () => socket.destroy());
    // An error concerns this connection only, which is closed.
    pipeline(socket.setEncoding("utf8"), (chunks) => replies(chunks, reporter), socket).catch(() => {});
  };
  const source = { path: controlPath(prefix, pid) };
  // Awaited, because it may need root's rights, which are dropped next.
  await removeStaleSockets(prefix, source.path);
  const listener = await listen(source, {
    key: "smmap_control_socket",
    rights: { mode: MODE, uid, gid },
    onConnection,
  });
  return {
    ...listener,
    close() {
      listener.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

/** Removes the sockets of dead processes, as far as possible. @param own path to keep */
async function removeStaleSockets(prefix: string, own: string): Promise<void> {
  try {
    await Promise.all(
      findControlPaths(prefix)
        .filter((path) => path !== own)
        .map(removeStaleSocket),
    );
  } catch {
    // Another user may own the folder. The next process tries again.
  }
}

/** One line of reply for each line of request. */
async function* replies(chunks: AsyncIterable<string>, reporter: StatusReporter): AsyncGenerator<string> {
  let text = "";
  for await (const chunk of chunks) {
    text += chunk;
    for (let end = text.indexOf("\n"); end >= 0; end = text.indexOf("\n")) {
      yield `${JSON.stringify(await reply(text.slice(0, end), reporter))}\n`;
      text = text.slice(end + 1);
    }
    if (text.length > REQUEST_MAX) throw new Error("the request is too long");
  }
}

async function reply(line: string, reporter: StatusReporter): Promise<ControlReply> {
  try {
    const request = parseControlRequest(line);
    if (request.command === "status") return { status: await reporter.status() };
    return { purged: reporter.purge(request.addresses) };
  } catch (error) {
    return { error: error instanceof Error ? error.message : String(error) };
  }
}
