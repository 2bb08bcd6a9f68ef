/** `smmapd purge`: clears the cache of the running daemon. */
import { exit, type Io, UnavailableError } from "../io.ts";
import { askAll } from "./control-client.ts";
import { parseOptions } from "./options.ts";

const kinds = { "-C": "value" } as const;

/** Addresses per request, whose length is limited. */
const BATCH = 100;

/** `smmapd purge [-C file] [address...]` @returns exit status */
export async function purge(args: readonly string[], io: Io): Promise<number> {
  const { values, words } = parseOptions(args, kinds);
  const configFile = values["-C"] ?? "/etc/imapd.conf";
  let answered = 0;
  let hasCache = false;
  for (const addresses of batches(words)) {
    const replies = await askAll(configFile, { command: "purge", addresses }, io);
    answered = replies.length;
    for (const reply of replies) {
      if ("error" in reply) throw new UnavailableError(reply.error);
      hasCache ||= "purged" in reply && reply.purged;
    }
  }
  const processes = answered === 1 ? "one process" : `${answered} processes`;
  io.stdout.write(hasCache ? `purged: ${processes}\n` : `there is no cache to purge (${processes})\n`);
  return exit.ok;
}

/** At least one batch, since an empty one purges everything. */
function batches(addresses: readonly string[]): readonly (readonly string[])[] {
  const count = Math.max(1, Math.ceil(addresses.length / BATCH));
  return Array.from({ length: count }, (_, i) => addresses.slice(i * BATCH, (i + 1) * BATCH));
}
