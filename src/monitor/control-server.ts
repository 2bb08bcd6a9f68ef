/** The control socket: where `smmapd status` and `smmapd purge` ask. Never stands in the way of an answer to mail. */
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
import type { Reporter } from "./status-report.ts";

export interface ControlOptions {
  /** smmap_control_socket. */
  readonly beginning: string;
  readonly pid: number;
  /** Whom it belongs to; null: as it comes. */
  readonly uid: number | null;
  readonly gid: number | null;
  /** Name or number of the user that serves, for messages. */
  readonly owner: string;
  readonly reporter: Reporter;
}

/** Nobody else may know the addresses that people ask for. */
const MODE = 0o600;
const CONNECTIONS_MAX = 16;
/** Milliseconds. */
const IDLE_TIMEOUT = 60_000;

/** @throws ConfigError where the socket cannot be had */
export async function openControl(options: ControlOptions): Promise<Listener> {
  const { beginning, pid, uid, gid, owner, reporter } = options;
  const advice = folderAdvice(beginning, owner);
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
    // Whatever goes wrong is the other end's affair.
    pipeline(socket.setEncoding("utf8"), (chunks) => replies(chunks, reporter), socket).catch(() => {});
  };
  const source = { path: controlPath(beginning, pid) };
  // Waited for, because whoever root becomes next may have no right to.
  await removeStaleSockets(beginning, source.path);
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

/** Those of dead processes. Nothing depends on it. @param own path that is not among them */
async function removeStaleSockets(beginning: string, own: string): Promise<void> {
  try {
    await Promise.all(
      findControlPaths(beginning)
        .filter((path) => path !== own)
        .map(removeStaleSocket),
    );
  } catch {
    // Perhaps somebody else's folder. The next process tries again.
  }
}

/** One line for each line. */
async function* replies(chunks: AsyncIterable<string>, reporter: Reporter): AsyncGenerator<string> {
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

async function reply(line: string, reporter: Reporter): Promise<ControlReply> {
  try {
    const request = parseControlRequest(line);
    if (request.command === "status") return { status: await reporter.status() };
    return { purged: reporter.purge(request.addresses) };
  } catch (error) {
    return { error: error instanceof Error ? error.message : String(error) };
  }
}
