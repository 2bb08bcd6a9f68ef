/**
 * Command lines, parsed by node:util. As in Cyrus' services, single-letter options stand alone and take their argument as
 * the next word: "-U250" and "-DX" are refused (Cyrus master/service.c). Long options also take "--name=value".
 */
import { parseArgs } from "node:util";
import { UsageError } from "../io.ts";

/** Whether an option takes an argument. */
export type OptionKind = "flag" | "value";

export interface Options<Name extends string> {
  readonly given: ReadonlySet<Name>;
  /** Argument of each "value" option that was given. */
  readonly values: Readonly<Partial<Record<Name, string>>>;
  /** Arguments that are not options. */
  readonly words: readonly string[];
}

/** "--" ends the options; "-" alone is a word. @throws UsageError */
export function parseOptions<Name extends string>(
  args: readonly string[],
  kinds: Readonly<Record<Name, OptionKind>>,
): Options<Name> {
  const options = Object.fromEntries(Object.entries<OptionKind>(kinds).map(([name, kind]) => definition(name, kind)));
  const { tokens } = parseArgs({ args: [...args], options, strict: false, allowPositionals: true, tokens: true });
  const given = new Set<Name>();
  const values: Partial<Record<Name, string>> = {};
  const words: string[] = [];
  for (const token of tokens) {
    if (token.kind === "positional") words.push(token.value);
    if (token.kind !== "option") continue;
    const { rawName, value, inlineValue, index } = token;
    const isShort = !rawName.startsWith("--");
    const word = args[index] ?? rawName;
    if (!Object.hasOwn(kinds, rawName) || (isShort && word !== rawName)) throw new UsageError(`unknown option ${word}`);
    const name = rawName as Name;
    given.add(name);
    if (kinds[name] === "flag") {
      if (inlineValue) throw new UsageError(`option ${rawName} takes no argument`);
      continue;
    }
    if (value === undefined) throw new UsageError(`option ${rawName} needs an argument`);
    values[name] = value;
  }
  return { given, values, words };
}

function definition(name: string, kind: OptionKind) {
  const type = kind === "flag" ? ("boolean" as const) : ("string" as const);
  return name.startsWith("--") ? [name.slice(2), { type }] : [name.slice(1), { type, short: name.slice(1) }];
}
