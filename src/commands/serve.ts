import type { Io } from "../io.ts";
import { live } from "../server/lifecycle.ts";
import { parseOptions, UsageError } from "./options.ts";

/** `smmapd [-C file] [-U uses] [-T timeout] [-D] [-p]`: serves in the foreground. @returns exit status */
export async function serve(args: readonly string[], io: Io): Promise<number> {
  const options = parseOptions(args, { "-C": "value", "-U": "value", "-T": "value", "-D": "flag", "-p": "flag" });
  if (options.words.length > 0) throw new UsageError(`unknown command ${options.words[0]}`);
  for (const name of ["-U", "-T"] as const) {
    const value = options.values[name];
    if (value !== undefined && !/^\d+$/.test(value))
      throw new UsageError(`option ${name} takes a number, not ${value}`);
  }
  const configFile = options.values["-C"] ?? "/etc/imapd.conf";
  return live({ configFile, skipPlus: options.given.has("-p") }, io);
}
