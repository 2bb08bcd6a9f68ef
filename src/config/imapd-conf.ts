/**
 * Parses the text of imapd.conf: physical and logical lines, options, @include (Cyrus lib/libconfig.c,
 * config_read_file). Files are accepted and refused as in the original, with the same messages. Text that the original
 * silently drops causes a warning. options.ts decides which option a line sets.
 */
import { isUtf8 } from "node:buffer";
import { readFileSync, statSync } from "node:fs";
import { getSystemErrorMap } from "node:util";
import { ConfigError } from "../store/store.ts";

/** One line "name: value". */
export interface OptionLine {
  /** With its service prefix, in lower case. */
  readonly name: string;
  readonly value: string;
  /** The file as it was named, and the number of its (last) physical line. */
  readonly file: string;
  readonly line: number;
}

/** A configuration file with its included files. */
export interface ImapdConf {
  readonly file: string;
  /** In the order of reading; names may repeat. */
  readonly options: readonly OptionLine[];
  /** Text that is valid but most likely a mistake. */
  readonly warnings: readonly string[];
  /** The files that every user of the machine may read. */
  readonly worldReadable: ReadonlySet<string>;
}

/** Content of a file as a byte string, one character per octet, and whether "others" may read it. */
export interface SourceFile {
  readonly bytes: string;
  readonly isWorldReadable: boolean;
}

/**
 * Reads a configuration file and its includes; relative paths start at the current directory.
 * @param prefix CYRUS_PREFIX: put before each path; the path alone is tried if that file does not exist
 * @throws ConfigError
 */
export function readImapdConf(file: string, prefix: string | undefined): ImapdConf {
  return parseImapdConf(file, (path) => openSource(path, prefix));
}

/** Depth of includes. The original keeps all files open, so it has a limit as well. */
const INCLUDED_MAX = 100;

/** As readImapdConf, with the files taken from `open`. */
export function parseImapdConf(file: string, open: (path: string) => SourceFile): ImapdConf {
  const options: OptionLine[] = [];
  const warnings: string[] = [];
  const worldReadable = new Set<string>();
  const seen = new Set<string>();

  function readFile(path: string, depth: number): void {
    const source = open(path);
    if (seen.has(path)) throw new ConfigError(`configuration file ${path} included twice`);
    seen.add(path);
    if (source.isWorldReadable) worldReadable.add(path);
    for (const logical of logicalLines(source.bytes)) {
      warnings.push(...hazardsOf(logical).map((hazard) => `${path}:${logical.line}: ${hazard}`));
      if (logical.isLost) continue;
      const option = parseLine(logical, path);
      if (option === null) continue;
      if (option.name === "@include") {
        if (depth === INCLUDED_MAX) {
          throw new ConfigError(`includes are nested too deep on line ${option.line} of configuration file ${path}`);
        }
        readFile(option.value, depth + 1);
      } else if (option.name.startsWith("@")) {
        throw new ConfigError(`invalid directive on line ${option.line} of configuration file ${path}`);
      } else {
        options.push(option);
      }
    }
  }

  readFile(file, 0);
  return { file, options, warnings, worldReadable };
}

/** Physical lines joined at their backslashes. */
interface LogicalLine {
  readonly text: string;
  /** Number of its last physical line, which the original shows in messages. */
  readonly line: number;
  readonly isContinued: boolean;
  /** The file ends in this line with a backslash and a newline: the original drops the whole line. */
  readonly isLost: boolean;
}

function* logicalLines(bytes: string): Generator<LogicalLine> {
  // Joined at the end only, because a line may be continued very often. No part is empty.
  let parts: string[] = [];
  let line = 0;
  let isContinued = false;
  for (let at = 0; at < bytes.length; ) {
    const newline = bytes.indexOf("\n", at);
    const end = newline < 0 ? bytes.length : newline;
    const physical = bytes.slice(at, end);
    at = end + 1;
    line++;
    // The original uses C strings: a NUL ends the line.
    const nul = physical.indexOf("\0");
    const kept = nul < 0 ? physical : physical.slice(0, nul);
    if (kept !== "") parts.push(kept);
    // The last part may be of an earlier physical line, if this one is empty.
    const last = parts.at(-1) ?? "";
    if (nul < 0 && newline >= 0 && last.endsWith("\\")) {
      parts.pop();
      if (last.length > 1) parts.push(last.slice(0, -1));
      isContinued = true;
    } else {
      yield { text: parts.join(""), line, isContinued, isLost: false };
      parts = [];
      isContinued = false;
    }
  }
  if (isContinued) yield { text: parts.join(""), line, isContinued, isLost: true };
}

const blanks = " \t\n\v\f\r";
const optionName = /^(@[A-Za-z0-9_-]*|[A-Za-z0-9_-]+):/;

/** null: an empty line or a comment. */
function parseLine({ text, line }: LogicalLine, file: string): OptionLine | null {
  const trimmed = trim(text);
  if (trimmed === "" || trimmed.startsWith("#")) return null;
  const [start = "", name = ""] = optionName.exec(trimmed) ?? [];
  const bytes = trim(trimmed.slice(start.length));
  if (name === "") {
    const hint = trimmed.startsWith("\xef\xbb\xbf")
      ? "it begins with a byte order mark; remove it"
      : "a line is NAME: VALUE, with letters, digits, - and _ in the name and no blank before the colon";
    throw new ConfigError(`invalid option name on line ${line} of configuration file ${file} (${hint})`);
  }
  if (bytes === "") {
    const hint = "remove the line to leave the option unset";
    throw new ConfigError(`empty option value on line ${line} of configuration file ${file} (${hint})`);
  }
  return { name: name.toLowerCase(), value: decode(bytes), file, line };
}

/** Warnings about text that is dropped or kept by the syntax contrary to expectation. */
function hazardsOf({ text, isContinued, isLost }: LogicalLine): string[] {
  const isComment = trim(text).startsWith("#");
  if (isLost) return isComment ? [] : ["the file ends in a backslash, so its last option is lost"];
  if (isComment) {
    return isContinued ? ["a comment that ends in a backslash includes the next line"] : [];
  }
  const hazards = [];
  if (text.endsWith("\\\r")) hazards.push("a backslash before CR LF does not continue the line");
  if (/[ \t]#/.test(text)) hazards.push('"#" within a line begins no comment, it is part of the value');
  if (!isUtf8(Buffer.from(text, "latin1"))) hazards.push("this is not UTF-8, so it is read as ISO 8859-1");
  return hazards;
}

/** Removes white space at both ends, by isspace(3) in the C locale. */
function trim(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && blanks.includes(text.charAt(start))) start++;
  while (end > start && blanks.includes(text.charAt(end - 1))) end--;
  return text.slice(start, end);
}

/** Decodes UTF-8. Other text is returned unchanged, one character per octet. */
function decode(bytes: string): string {
  const octets = Buffer.from(bytes, "latin1");
  return isUtf8(octets) ? octets.toString("utf8") : bytes;
}

function openSource(path: string, prefix: string | undefined): SourceFile {
  if (prefix !== undefined) {
    try {
      return readSource(prefix + path);
    } catch {
      // By the rule of CYRUS_PREFIX the path alone is tried next.
    }
  }
  try {
    return readSource(path);
  } catch (cause) {
    throw new ConfigError(`can't open configuration file ${path}: ${reason(cause)}`, { cause });
  }
}

function readSource(path: string): SourceFile {
  return { bytes: readFileSync(path, "latin1"), isWorldReadable: (statSync(path).mode & 0o004) !== 0 };
}

/** The text of strerror(3). */
function reason(error: unknown): string {
  const { errno, message } = error as NodeJS.ErrnoException;
  const text = errno === undefined ? message : (getSystemErrorMap().get(errno)?.[1] ?? message);
  return text.charAt(0).toUpperCase() + text.slice(1);
}
