/** Clients for whom there is no room. Each is told to try again later, whatever it asks, and has a moment to read that. */
import { encodeNetstring } from "../engine/netstring.ts";
import type { Client } from "./connection.ts";
import type { Protocol } from "./listener.ts";

const words: Readonly<Record<Protocol, string>> = {
  socketmap: encodeNetstring("TEMP Too many connections, try again later"),
  // The status code is that of RFC 3463: a system that does not accept anything now.
  policy: "action=DEFER_IF_PERMIT 4.3.2 Too many connections, try again later\n\n",
};

/** Milliseconds for the client to read and close its side. */
const LINGER = 2_000;
/** Farewells at a time; beyond that connections are closed without a word, which mail servers take for the same. */
const AT_A_TIME = 256;

export class Farewells {
  readonly #leaving = new Map<Client, NodeJS.Timeout>();

  say(client: Client, protocol: Protocol): void {
    client.on("error", () => {});
    if (this.#leaving.size >= AT_A_TIME) {
      client.destroy();
      return;
    }
    this.#leaving.set(
      client,
      setTimeout(() => client.destroy(), LINGER),
    );
    client.once("close", () => {
      clearTimeout(this.#leaving.get(client));
      this.#leaving.delete(client);
    });
    // What it asks is read and thrown away: closing on unread bytes would reset our words away.
    client.resume();
    client.end(words[protocol], "latin1");
  }

  /** There is no time left. */
  cut(): void {
    for (const client of this.#leaving.keys()) client.destroy();
  }
}
