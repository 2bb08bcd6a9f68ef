/** Dispatches the command line to a command. */
import { exit, exitStatusOf, type Io } from "../io.ts";
import { printable } from "../log/printable.ts";
import { version } from "../metrics/version.ts";
import { untilPipeCloses } from "./output.ts";

type Command = (args: readonly string[], io: Io) => Promise<number>;

/** Loaded on use, so that the daemon does not load the tools. */
const commands: Readonly<Record<string, () => Promise<Command>>> = {
  check: async () => (await import("./check.ts")).check,
  conf: async () => (await import("./conf.ts")).conf,
  purge: async () => (await import("./purge.ts")).purge,
  status: async () => (await import("./status.ts")).status,
};

const usage = `usage: smmapd [-C file] [-U uses] [-T timeout] [-D] [-p] [-X]
       smmapd check [-C file] [-m map] [-p] [-v | --socket path|host:port] [--json] address... | -
       smmapd conf [-C file] [--strict]
       smmapd purge [-C file] [address...]
       smmapd status [-C file] [--json]
       smmapd --help | --version
`;

/** Runs the command. @returns exit status of sysexits.h */
export async function main(args: readonly string[], io: Io): Promise<number> {
  const [first = ""] = args;
  if (first === "--help" || first === "-h") return print(usage, io);
  if (first === "--version") return print(`smmapd ${version}\n`, io);
  const load = Object.hasOwn(commands, first) ? commands[first] : undefined;
  try {
    if (load !== undefined) return await untilPipeCloses(io, async () => (await load())(args.slice(1), io));
    const { serve } = await import("./serve.ts");
    return await serve(args, io);
  } catch (error) {
    const status = exitStatusOf(error);
    if (!(error instanceof Error) || status === exit.software) throw error;
    return untilPipeCloses(io, async () => {
      io.stderr.write(`smmapd: ${printable(error.message)}\n${status === exit.usage ? usage : ""}`);
      return status;
    });
  }
}

function print(text: string, io: Io): Promise<number> {
  return untilPipeCloses(io, async () => {
    io.stdout.write(text);
    return exit.ok;
  });
}
