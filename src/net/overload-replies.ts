/**
 * Replies to clients for which no connection is free: each gets a temporary failure, whatever it asks, and a moment to
 * read it.
 */
import { encodeNetstring } from "../engine/netstring.ts";
import type { Client } from "./connection.ts";
import type { Protocol } from "./listener.ts";

const replies: Readonly<Record<Protocol, string>> = {
  socketmap: encodeNetstring("TEMP Too many connections, try again later"),
  // 4.3.2 is "system not accepting network messages" (RFC 3463).
  policy: "action=DEFER_IF_PERMIT 4.3.2 Too many connections, try again later\n\n",
};

/** Milliseconds for the client to read the reply and close its side. */
const LINGER = 2_000;
/** Replies under way at a time; further connections are closed without a reply, which mail servers treat alike. */
const MAX_CONCURRENT = 256;

export class OverloadReplies {
  readonly #open = new Map<Client, NodeJS.Timeout>();

  /** Sends the reply of a protocol and closes the connection. */
  send(client: Client, protocol: Protocol): void {
    client.on("error", () => {});
    if (this.#open.size >= MAX_CONCURRENT) {
      client.destroy();
      return;
    }
    this.#open.set(
      client,
      setTimeout(() => client.destroy(), LINGER),
    );
    client.once("close", () => {
      clearTimeout(this.#open.get(client));
      this.#open.delete(client);
    });
    // Input is read and discarded: closing with unread input would reset the connection and lose the reply.
    client.resume();
    client.end(replies[protocol], "latin1");
  }

  /** Closes all connections at once. */
  closeAll(): void {
    for (const client of this.#open.keys()) client.destroy();
  }
}
