/** `smmapd conf`: prints the effective configuration, with errors and warnings. */
import { dirname } from "node:path";
import { type Config, defaultConfigFile, type EffectiveOption, loadConfig } from "../config/config.ts";
import { readProcess } from "../config/process-settings.ts";
import { readSettings } from "../config/settings.ts";
import { exit, type Io, UsageError } from "../io.ts";
import { printable } from "../log/printable.ts";
import { loadExposition } from "../monitor/metrics-server.ts";
import { loadAdapter } from "../store/registry.ts";
import { ConfigError } from "../store/store.ts";
import { parseOptions } from "./options.ts";

/**
 * `smmapd conf [-C file] [--strict]`
 * @returns 0, or 78 (EX_CONFIG) where any value is wrong, the daemon would not start, or --strict and there is a warning
 * @throws ConfigError where the file cannot be read or parsed
 */
export async function conf(args: readonly string[], io: Io): Promise<number> {
  const { given, values, words } = parseOptions(args, { "-C": "value", "--strict": "flag" });
  if (words.length > 0) throw new UsageError(`conf takes no argument: ${words[0]}`);
  const config = loadConfig({ file: values["-C"] ?? defaultConfigFile, env: io.env });
  const startupError = await findStartupError(config, dirname(values["-C"] ?? defaultConfigFile), io);
  const options = config.effective();
  const warnings = config.warnings();
  const problems = [...options.map(({ problem }) => problem), startupError].filter((problem) => problem !== null);
  const write = (line: string) => io.stdout.write(`${printable(line)}\n`);
  table(
    "Set in the file",
    options.filter(({ isSet }) => isSet),
  ).forEach(write);
  table(
    "Defaults",
    options.filter(({ isSet }) => !isSet),
  ).forEach(write);
  for (const warning of warnings) write(`warning: ${warning}`);
  for (const problem of new Set(problems)) io.stderr.write(`smmapd: ${printable(problem)}\n`);
  const isRefused = problems.length > 0 || (given.has("--strict") && warnings.length > 0);
  return isRefused ? exit.config : exit.ok;
}

/** The error with which the daemon or its store would not start; null: there is none. */
async function findStartupError(config: Config, baseDirectory: string, { env }: Io): Promise<string | null> {
  try {
    const { store, metricsListen } = readSettings(config);
    readProcess(config, env);
    const adapter = await loadAdapter(store.name, baseDirectory, (problem) => config.error("smmap_store", problem));
    config.register(adapter.keys ?? []);
    adapter.parse(config);
    if (metricsListen.length > 0) await loadExposition();
    return null;
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
}

/** Widest column of values; a longer value pushes its origin to the right. */
const VALUE_WIDTH = 40;

function table(title: string, options: readonly EffectiveOption[]): readonly string[] {
  const rows = options.map(({ name, value, origin }) => ({
    name,
    value: value === null ? "(unset)" : value === "" ? "(empty)" : value,
    origin: origin === "default" ? "" : origin,
  }));
  const nameWidth = Math.max(0, ...rows.map(({ name }) => name.length));
  const valueWidth = Math.min(VALUE_WIDTH, Math.max(0, ...rows.map(({ value }) => value.length)));
  const lines = rows.map(({ name, value, origin }) =>
    `  ${name.padEnd(nameWidth)}  ${value.padEnd(valueWidth)}  ${origin}`.trimEnd(),
  );
  return lines.length === 0 ? [] : [title, ...lines, ""];
}
