/** Configurations made from texts in memory. */
import { Config } from "../../../src/config/config.ts";
import { type ImapdConf, parseImapdConf } from "../../../src/config/imapd-conf.ts";
import { ConfigError, type KeyDefinition } from "../../../src/store/store.ts";

export interface Files {
  /** Texts by path, in bytes (latin1); "imapd.conf" is read first. */
  readonly [path: string]: string;
}

/** @param files the text of imapd.conf, or several files */
export function parse(files: string | Files, isWorldReadable = false): ImapdConf {
  const texts = typeof files === "string" ? { "imapd.conf": files } : files;
  return parseImapdConf("imapd.conf", (path) => {
    const bytes = texts[path];
    if (bytes === undefined) throw new ConfigError(`can't open configuration file ${path}: No such file or directory`);
    return { bytes, isWorldReadable };
  });
}

export interface ConfigOptions {
  readonly service?: string;
  readonly keys?: readonly KeyDefinition[];
  readonly isWorldReadable?: boolean;
}

/** A configuration of these lines, below a line 1 that sets configdirectory. */
export function configOf(lines: string, { service = "smmap", keys = [], isWorldReadable }: ConfigOptions = {}): Config {
  return new Config(parse(`configdirectory: /var/lib/imap\n${lines}`, isWorldReadable), service, keys);
}

/** What a person would read of the error that `run` must throw. */
export function configErrorOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
  throw new Error("no ConfigError");
}
