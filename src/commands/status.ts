/** `smmapd status`: the state of the running daemon. */
import { exit, type Io, UnavailableError, UsageError } from "../io.ts";
import { printable, printableJson } from "../log/printable.ts";
import type { Status } from "../metrics/report.ts";
import { askAll } from "./control-client.ts";
import { parseOptions } from "./options.ts";
import { describeStatus } from "./status-text.ts";

const kinds = { "-C": "value", "--json": "flag" } as const;

/** `smmapd status [-C file] [--json]` @returns 0: all stores answer; 75 (EX_TEMPFAIL): some do not */
export async function status(args: readonly string[], io: Io): Promise<number> {
  const { given, values, words } = parseOptions(args, kinds);
  if (words.length > 0) throw new UsageError(`status takes no argument: ${words[0]}`);
  const replies = await askAll(values["-C"] ?? "/etc/imapd.conf", { command: "status" }, io);
  const statuses = replies.map((reply) => {
    if ("status" in reply) return reply.status;
    throw new UnavailableError("error" in reply ? reply.error : "the daemon has sent an unexpected reply");
  });
  const now = Date.now();
  const texts = statuses.map((one) => `${describeStatus(one, now).map(printable).join("\n")}\n`);
  io.stdout.write(
    given.has("--json") ? `${printableJson(JSON.stringify(statuses.map(withOldNames)))}\n` : texts.join("\n"),
  );
  return statuses.some(({ problem }) => problem !== null) ? exit.tempfail : exit.ok;
}

/** Adds the members of 0.1.0, which describe the first store. */
function withOldNames(status: Status) {
  const { stores, recentProblems } = status;
  const [first] = stores;
  const store = first && { ...first, isResting: first.isBreakerOpen, spared: first.shortCircuited };
  const cache = first?.cache && { ...first.cache, joined: first.cache.coalesced };
  return { ...status, store: store ?? null, cache: cache ?? null, complaints: recentProblems };
}
