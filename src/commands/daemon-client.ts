/** Sends requests to a running daemon, like a mail server. */
import { connect, type Socket } from "node:net";
import { encodeNetstring, NetstringDecoder } from "../engine/netstring.ts";
import { UsageError } from "../io.ts";
import { StoreError } from "../store/store.ts";

/** Octets of the longest reply, as in Postfix (socketmap_max_reply_size). */
const REPLY_MAX = 100_000;

/** One connection to a daemon; replies come in the order of the requests. */
export class DaemonClient {
  readonly #socket: Socket;
  readonly #replies = new NetstringDecoder(REPLY_MAX);
  readonly #waiting: { resolve: (reply: string) => void; reject: (error: Error) => void }[] = [];
  #failure: StoreError | null = null;

  /** @param where a path, or HOST:PORT */
  constructor(where: string) {
    this.#socket = connect(parseWhere(where));
    this.#socket.on("data", (chunk) => this.#read(chunk));
    this.#socket.on("error", (error) => this.#fail(`${where}: ${error.message}`));
    this.#socket.on("close", () => this.#fail(`${where}: the daemon closed the connection`));
  }

  /** @param payload "MAP KEY", a byte string; @returns the reply, a byte string; rejects with StoreError */
  ask(payload: string): Promise<string> {
    if (this.#failure !== null) return Promise.reject(this.#failure);
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      this.#socket.write(encodeNetstring(payload), "latin1");
    });
  }

  close(): void {
    this.#socket.destroy();
  }

  #read(chunk: Buffer): void {
    this.#replies.write(chunk);
    try {
      for (let reply = this.#replies.next(); reply !== null; reply = this.#replies.next()) {
        this.#waiting.shift()?.resolve(reply);
      }
    } catch (error) {
      this.#fail(`the reply is not a netstring: ${(error as Error).message}`);
      this.#socket.destroy();
    }
  }

  #fail(problem: string): void {
    this.#failure ??= new StoreError("unavailable", problem);
    for (const { reject } of this.#waiting.splice(0)) reject(this.#failure);
  }
}

function parseWhere(where: string): { path: string } | { host: string; port: number } {
  if (where.includes("/")) return { path: where };
  const match = /^(?:\[(?<v6>[^\]]+)\]|(?<host>[^:]*)):(?<port>\d+)$/.exec(where);
  if (match?.groups === undefined) throw new UsageError(`--socket takes a path or HOST:PORT, not ${where}`);
  const { v6, host, port } = match.groups;
  return { host: v6 ?? (host || "localhost"), port: Number(port) };
}
