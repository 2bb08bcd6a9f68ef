/**
 * Command lines in the manner of Cyrus' services: single-letter options stand alone and take their argument as the next
 * word, so "-U250" is refused (Cyrus master/service.c). Long options are ours.
 */

import { UsageError } from "../io.ts";

/** Whether an option takes an argument. */
export type OptionKind = "flag" | "value";

export interface Options<Name extends string> {
  readonly given: ReadonlySet<Name>;
  /** Argument of each "value" option that was given. */
  readonly values: Readonly<Partial<Record<Name, string>>>;
  /** Words that are no options. */
  readonly words: readonly string[];
}

/** "--" ends the options; "-" alone is a word. @throws UsageError */
export function parseOptions<Name extends string>(
  args: readonly string[],
  kinds: Readonly<Record<Name, OptionKind>>,
): Options<Name> {
  const given = new Set<Name>();
  const values: Partial<Record<Name, string>> = {};
  const words: string[] = [];
  for (let i = 0; i < args.length; i++) {
    const word = args[i] as string;
    if (word === "--") {
      words.push(...args.slice(i + 1));
      break;
    }
    if (!word.startsWith("-") || word === "-") {
      words.push(word);
      continue;
    }
    if (!Object.hasOwn(kinds, word)) throw new UsageError(`unknown option ${word}`);
    const name = word as Name;
    given.add(name);
    if (kinds[name] === "flag") continue;
    const value = args[++i];
    if (value === undefined) throw new UsageError(`option ${word} needs an argument`);
    values[name] = value;
  }
  return { given, values, words };
}
