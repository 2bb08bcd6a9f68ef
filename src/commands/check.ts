/** `smmapd check`: the reply for each address, from the store itself or from a running daemon. */
import { text } from "node:stream/consumers";
import { chooseIdentity, dropPrivileges } from "../daemon/privileges.ts";
import { type Configuration, readConfiguration, type Service, startService } from "../daemon/service.ts";
import { exit, type Io, UsageError } from "../io.ts";
import { plainLog } from "../log/log.ts";
import { printable } from "../log/printable.ts";
import { Lookup } from "../store/lookup.ts";
import type { StoreError } from "../store/store.ts";
import { type CheckResult, checkAddress, describe } from "./check-result.ts";
import { DaemonClient } from "./daemon-client.ts";
import { FaultLog } from "./fault-log.ts";
import { parseOptions } from "./options.ts";
import { Progress } from "./progress.ts";

interface Answer {
  readonly address: string;
  /** A byte string. */
  readonly reply: string;
  /** null: a running daemon has replied. */
  readonly result: CheckResult | null;
}

interface Source {
  ask(address: string): Promise<Answer>;
  /** The steps behind an answer. */
  explain(answer: Answer): readonly string[];
  /** Writes to standard error, once, as which user the failed look-ups were made. */
  explainFailure(): void;
  close(): Promise<void>;
}

/** Addresses checked in parallel. */
const BATCH = 64;

const kinds = {
  "-C": "value",
  "-m": "value",
  "-p": "flag",
  "-v": "flag",
  "--json": "flag",
  "--socket": "value",
} as const;

/** @returns 0: all are OK; 1: some are refused for good; 75 (EX_TEMPFAIL): some temporarily */
export async function check(args: readonly string[], io: Io): Promise<number> {
  const { given, values, words } = parseOptions(args, kinds);
  const where = values["--socket"];
  const isVerbose = given.has("-v");
  if (words.length === 0) throw new UsageError("check takes addresses, or - for a list on standard input");
  if (where !== undefined && isVerbose)
    throw new UsageError("-v explains answers of the store, and cannot be combined with --socket");
  const addresses = words.includes("-") ? lines(await text(io.stdin)) : words;
  const map = values["-m"] ?? "cyrus";
  const log = new FaultLog(plainLog(io.stderr, "smmapd", "warning"));
  const configFile = values["-C"] ?? "/etc/imapd.conf";
  const source =
    where !== undefined
      ? askDaemon(new DaemonClient(where), map)
      : await openStore({ configFile, skipPlus: given.has("-p"), map, isVerbose, log }, io);
  const progress = new Progress(io.stderr, addresses.length, words.includes("-"));
  const print = given.has("--json") ? printJson : printText;
  let status: number = exit.ok;
  try {
    for (let i = 0; i < addresses.length; i += BATCH) {
      const batch = addresses.slice(i, i + BATCH);
      const answers = await Promise.all(batch.map((address) => source.ask(address)));
      progress.clear();
      const failures = failuresBehind(answers);
      log.flush(failures, isVerbose);
      if (failures.length > 0) source.explainFailure();
      for (const answer of answers) {
        status = Math.max(status, statusOf(answer.reply));
        io.stdout.write(print(answer, isVerbose ? source.explain(answer) : []));
      }
      progress.show(Math.min(i + BATCH, addresses.length));
    }
  } finally {
    progress.clear();
    await source.close();
    log.flush([], isVerbose);
  }
  return status;
}

function failuresBehind(answers: readonly Answer[]): readonly StoreError[] {
  return answers.flatMap(({ result }) => result?.failure ?? []);
}

interface StoreOptions {
  readonly configFile: string;
  readonly skipPlus: boolean;
  readonly map: string;
  readonly isVerbose: boolean;
  readonly log: FaultLog;
}

/** Opens the store as the daemon does: root reads the configuration, and drops privileges before it opens the store. */
async function openStore({ configFile, skipPlus, map, isVerbose, log }: StoreOptions, io: Io): Promise<Source> {
  const configuration = await readConfiguration({ configFile, env: io.env });
  const user = becomeDaemonUser(configuration, io);
  return askStore(await startService(configuration, { skipPlus, log }), { map, user, isVerbose }, io);
}

/** @returns a description of the user that asks the store; null: the system has no users */
function becomeDaemonUser(configuration: Configuration, io: Io): string | null {
  const { user, userOrigin } = configuration.process;
  const uid = io.getuid?.();
  if (uid === undefined) return null;
  const identity = chooseIdentity(configuration.process, io);
  if (identity === null) {
    const daemon = `a daemon started by root runs as ${user} (${userOrigin})`;
    return uid === 0 ? `root, as set in ${userOrigin}` : `uid ${uid}, which has started this check; ${daemon}`;
  }
  dropPrivileges(identity, io);
  return `${identity.user.name} (${userOrigin}; uid ${identity.user.uid}, gid ${identity.gid} and the user's other groups), as the daemon`;
}

interface AskOptions {
  readonly map: string;
  /** Description of the user that asks the store; null: the system has no users. */
  readonly user: string | null;
  readonly isVerbose: boolean;
}

function askStore(service: Service, { map, user, isVerbose }: AskOptions, io: Io): Source {
  let isExplained = user === null;
  return {
    ask: async (address) => {
      const result = await checkAddress(service, toBytes(address), map);
      return { address, reply: result.reply, result };
    },
    explain: ({ result }) => {
      if (result === null) return [];
      return [...(user === null ? [] : [`user      ${user}`]), ...describe(service, result)];
    },
    explainFailure: () => {
      if (!isExplained) io.stderr.write(`smmapd: the look-ups were made as ${user}\n`);
      isExplained = true;
    },
    close: async () => {
      // A ping makes a store warn of doubtful settings of its backend.
      const leaves = isVerbose ? service.stack.leaves : [];
      await Promise.all(leaves.map(({ guard }) => guard.ping(new Lookup()).catch(() => {})));
      await service.stack.close();
    },
  };
}

function askDaemon(client: DaemonClient, map: string): Source {
  return {
    ask: async (address) => ({ address, reply: await client.ask(`${map} ${toBytes(address)}`), result: null }),
    explain: () => [],
    explainFailure: () => {},
    close: async () => client.close(),
  };
}

function printText({ address, reply }: Answer, steps: readonly string[]): string {
  const shown = printable(`${address}: ${fromBytes(reply)}`);
  return [shown, ...steps.map((step) => `  ${printable(step)}`)].map((line) => `${line}\n`).join("");
}

function printJson({ address, reply, result }: Answer, steps: readonly string[]): string {
  const shown = { address, status: statusWord(reply), reply: fromBytes(reply) };
  if (steps.length === 0 || result === null) return `${JSON.stringify(shown)}\n`;
  const { recipient, mailbox, facts, failure, outcome } = result;
  const why = failure === null ? null : { code: failure.code, message: failure.message };
  return `${JSON.stringify({ ...shown, recipient, mailbox, facts, failure: why, outcome, steps })}\n`;
}

function statusOf(reply: string): number {
  const word = statusWord(reply);
  // The reply of an access map: "OK 550 5.1.1 …".
  const [, action] = /^OK ([45])\d\d \d\.\d\.\d /.exec(reply) ?? [];
  if (word === "OK" && action !== undefined) return action === "4" ? exit.tempfail : 1;
  if (word === "OK") return exit.ok;
  return word === "TEMP" || word === "TIMEOUT" ? exit.tempfail : 1;
}

function statusWord(reply: string): string {
  return reply.split(" ", 1)[0] ?? "";
}

function lines(list: string): readonly string[] {
  return list
    .split("\n")
    .map((line) => line.replace(/\r$/, ""))
    .filter((line) => line !== "");
}

function toBytes(address: string): string {
  return Buffer.from(address, "utf8").toString("latin1");
}

function fromBytes(bytes: string): string {
  return Buffer.from(bytes, "latin1").toString("utf8");
}
