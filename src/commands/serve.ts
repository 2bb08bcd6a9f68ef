import type { DaemonOptions } from "../daemon/context.ts";
import { runDaemon } from "../daemon/daemon.ts";
import { type Io, UsageError } from "../io.ts";
import { parseOptions } from "./options.ts";

const kinds = { "-C": "value", "-U": "value", "-T": "value", "-D": "flag", "-p": "flag", "-X": "flag" } as const;

/** `smmapd [-C file] [-U uses] [-T timeout] [-D] [-p] [-X]`: serves in the foreground. @returns exit status */
export function serve(args: readonly string[], io: Io): Promise<number> {
  return runDaemon(() => readOptions(args), io);
}

function readOptions(args: readonly string[]): DaemonOptions {
  const { given, values, words } = parseOptions(args, kinds);
  if (words.length > 0) throw new UsageError(`unknown command ${words[0]}`);
  return {
    configFile: values["-C"] ?? "/etc/imapd.conf",
    uses: readNumber("-U", values["-U"]),
    timeout: readNumber("-T", values["-T"]),
    isDebugged: given.has("-D"),
    skipPlus: given.has("-p"),
    isClientOnStdin: given.has("-X"),
  };
}

/** The maximum of -U and -T. The time-out is at most doubled, and a timer of Node.js holds 2^31 ms. */
const NUMBER_MAX = 1_000_000;

function readNumber(option: string, text: string | undefined): number | null {
  if (text === undefined) return null;
  const number = /^\d+$/.test(text) ? Number(text) : NUMBER_MAX + 1;
  if (number > NUMBER_MAX) throw new UsageError(`option ${option} takes a number up to ${NUMBER_MAX}, not ${text}`);
  return number;
}
