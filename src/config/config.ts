/** imapd.conf as typed values, and what there is to say about it. The words of errors are those of Cyrus' libconfig. */
import { resolve } from "node:path";
import { ConfigError, type ConfigReader, type KeyDefinition, type KeyType } from "../store/store.ts";
import { cyrusOptions } from "./cyrus-options.ts";
import { type ImapdConf, type OptionLine, readImapdConf } from "./imapd-conf.ts";
import { keys as ownKeys } from "./keys.ts";
import { type Setting, type SettledOptions, settleOptions } from "./options.ts";
import { nearestName } from "./typos.ts";
import { parseBytes, parseChoice, parseDuration, parseInteger, parseSwitch } from "./values.ts";

/** Where Cyrus keeps its configuration. */
export const defaultConfigFile = "/etc/imapd.conf";

export interface ConfigSource {
  /** Path of the configuration file. */
  readonly file: string;
  /** The environment: CYRUS_PREFIX, and CYRUS_SERVICE for the name of the service ("smmap" without it). */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Options of an adapter that are known beforehand. */
  readonly keys?: readonly KeyDefinition[];
}

/** @throws ConfigError where the file cannot be read, breaks the grammar, sets an option twice, has no configdirectory */
export function loadConfig({ file, env, keys = [] }: ConfigSource): Config {
  return new Config(readImapdConf(file, env.CYRUS_PREFIX), env.CYRUS_SERVICE ?? "smmap", keys);
}

/** An option as it is in force. */
export interface EffectiveOption {
  readonly name: string;
  /** Masked where it is secret; null: unset. */
  readonly value: string | null;
  readonly isSet: boolean;
  /** "default", or where it is set: "/etc/imapd.conf:12", perhaps with "(service override)" or "(as ldap_servers)". */
  readonly origin: string;
}

export class Config implements ConfigReader {
  /** The service's name in lower case; an option written with it and "_" in front is for us alone. */
  readonly service: string;
  readonly #conf: ImapdConf;
  readonly #definitions = new Map<string, KeyDefinition>();
  #settled: SettledOptions;
  /** Names without a definition that were asked for all the same, such as imap1_password. */
  readonly #asked = new Set<string>();
  readonly #warned = new Set<string>();

  constructor(conf: ImapdConf, service: string, keys: readonly KeyDefinition[] = []) {
    this.#conf = conf;
    this.service = service.toLowerCase();
    this.#settled = this.register([...ownKeys, ...keys]);
    const directory = this.#find("configdirectory");
    if (directory === undefined) {
      throw new ConfigError(`configdirectory option not specified in configuration file ${conf.file}`);
    }
    if (!directory.value.startsWith("/")) throw this.error("configdirectory", "must be fully qualified");
    if (directory.value === "/") throw this.error("configdirectory", "must not be '/'");
  }

  /** The file that was named; it may include others. */
  get file(): string {
    return this.#conf.file;
  }

  /** Makes options known; a name that is known already stays as it is. */
  register(keys: readonly KeyDefinition[]): SettledOptions {
    for (const key of keys) if (!this.#definitions.has(key.name)) this.#definitions.set(key.name, key);
    this.#settled = settleOptions(this.#conf.options, this.service, (name) => this.#isKnown(name));
    return this.#settled;
  }

  string(key: string): string | null {
    if (!this.#definitions.has(key)) return this.#undefinedString(key.toLowerCase());
    const text = this.#text(key, "string");
    return text === null ? null : this.#expand(text);
  }

  path(key: string): string | null {
    const text = this.#text(key, "path");
    if (text === null) return null;
    const path = this.#expand(text);
    // Cyrus leaves a relative path to the current directory; sql_database and what is ours know better.
    const isCyrus = cyrusOptions.has(key) && key !== "sql_database";
    return isCyrus ? path : resolve(this.#configDirectory(), path);
  }

  integer(key: string): number {
    return this.#value(key, "integer", parseInteger);
  }

  switch(key: string): boolean {
    return this.#value(key, "switch", parseSwitch);
  }

  choice(key: string): string {
    const words = this.#definitions.get(key)?.values ?? [];
    return this.#value(key, "choice", (text) => parseChoice(text, words));
  }

  duration(key: string): number {
    return this.#value(key, "duration", parseDuration);
  }

  bytes(key: string): number {
    return this.#value(key, "bytes", parseBytes);
  }

  isSet(key: string): boolean {
    return this.#find(key) !== undefined;
  }

  /** Whether the file sets the option for this service alone, by a name with its prefix. */
  isSetForService(key: string): boolean {
    return this.#find(key)?.form === "service";
  }

  error(key: string, problem: string): ConfigError {
    return new ConfigError(this.#describe(key, problem));
  }

  warn(key: string, problem: string): void {
    this.#warned.add(this.#describe(key, problem));
  }

  /** What a person should know about the file, each with file and line. Complete once everything has been read. */
  warnings(): readonly string[] {
    return [
      ...this.#conf.warnings,
      ...this.#settled.warnings,
      ...this.#unknownNames(),
      ...this.#openSecrets(),
      ...this.#warned,
    ];
  }

  /**
   * Every option that we read.
   * @throws ConfigError at the first value that its type refuses
   */
  effective(): readonly EffectiveOption[] {
    const asked = [...this.#asked].filter((name) => this.isSet(name)).sort();
    return [...this.#definitions.keys(), ...asked].map((name) => {
      const value = this.#shown(name);
      const setting = this.#find(name);
      return { name, value, isSet: setting !== undefined, origin: setting === undefined ? "default" : origin(setting) };
    });
  }

  #isKnown(name: string): boolean {
    return this.#definitions.has(name) || cyrusOptions.has(name);
  }

  #isSecret(name: string): boolean {
    return this.#definitions.get(name)?.secret ?? /passw(?:or)?d$/.test(name);
  }

  #find(name: string): Setting | undefined {
    const { settings } = this.#settled;
    // A known option has its prefix taken off already, any other name is looked up with it first.
    return (this.#isKnown(name) ? undefined : settings.get(`${this.service}_${name}`)) ?? settings.get(name);
  }

  #undefinedString(name: string): string | null {
    this.#asked.add(name);
    return this.#find(name)?.value ?? null;
  }

  #text(key: string, type: KeyType): string | null {
    const definition = this.#definitions.get(key);
    if (definition?.type !== type) throw new Error(`${key} is not an option of type ${type}`);
    return this.#find(key)?.value ?? definition.default;
  }

  #value<T>(key: string, type: Exclude<KeyType, "string" | "path">, parse: (text: string) => T | null): T {
    const text = this.#text(key, type);
    if (text === null) throw this.error(key, "is needed and has no default");
    const value = parse(text);
    if (value !== null) return value;
    const setting = this.#find(key);
    if (setting === undefined) throw new Error(`the default of ${key} is not of type ${type}`);
    const shown = this.#isSecret(key) ? masked : setting.value;
    const words = this.#definitions.get(key)?.values?.join(", ");
    throw new ConfigError(
      `${complaints[type](shown, key)} in line ${setting.line} of configuration file ${setting.file} ` +
        `(${words === undefined ? hints[type] : `one of ${words}`})`,
    );
  }

  #configDirectory(): string {
    return this.#find("configdirectory")?.value ?? "";
  }

  #expand(text: string): string {
    return configDirectoryToken.test(text) ? text.replace(configDirectoryToken, () => this.#configDirectory()) : text;
  }

  #describe(key: string, problem: string): string {
    const setting = this.#find(key);
    if (setting === undefined) return `${this.file}: ${key}: ${problem} (not set in the file)`;
    const value = this.#isSecret(key) ? masked : `'${setting.value}'`;
    return `${setting.file}:${setting.line}: ${setting.name}: ${problem} (value ${value})`;
  }

  #shown(name: string): string | null {
    const definition = this.#definitions.get(name);
    const text = this.#find(name)?.value ?? definition?.default ?? null;
    if (text === null || this.#isSecret(name)) return text === null ? null : masked;
    if (definition === undefined) return text;
    const { type } = definition;
    if (type === "string" || type === "path") return this[type](name);
    this[type](name);
    return text;
  }

  /** A name with our prefix that is neither an option of ours nor an option of Cyrus for this service. */
  #unknownNames(): string[] {
    const prefixes = new Set(["smmap_", `${this.service}_`]);
    return this.#conf.options.flatMap(({ name, file, line }) => {
      const prefix = [...prefixes].find((candidate) => name.startsWith(candidate));
      if (prefix === undefined || this.#isKnown(name)) return [];
      const rest = name.slice(prefix.length);
      if (this.#isKnown(rest) || this.#asked.has(rest) || this.#asked.has(name)) return [];
      const known = [
        ...this.#definitions.keys(),
        ...[...this.#definitions.keys(), ...cyrusOptions].map((key) => prefix + key),
      ];
      const nearest = nearestName(name, known);
      const question = nearest === null ? "" : `; did you mean ${nearest}?`;
      return [`${file}:${line}: unknown option ${name}${question}`];
    });
  }

  #openSecrets(): string[] {
    const names = new Map<string, OptionLine>();
    for (const [name, setting] of this.#settled.settings) {
      const isExposed = this.#isSecret(name) && this.#conf.worldReadable.has(setting.file);
      if (isExposed && !names.has(setting.file)) names.set(setting.file, setting);
    }
    return [...names.values()].map(
      ({ file, line, name }) => `${file}:${line}: every user of this machine can read ${name}; chmod o-r ${file}`,
    );
  }
}

const masked = "********";
const configDirectoryToken = /^\{configdirectory\}/i;

const complaints = {
  integer: (_value: string, key: string) => `non-integer value for ${key}`,
  switch: (_value: string, key: string) => `non-switch value for ${key}`,
  choice: (value: string, key: string) => `invalid value '${value}' for ${key}`,
  duration: (value: string, key: string) => `unparsable duration '${value}' for ${key}`,
  bytes: (value: string, key: string) => `unparsable byte size '${value}' for ${key}`,
};

const hints = {
  integer: "a whole number",
  switch: "yes or no, in lower case",
  choice: "one of the words of the manual page",
  duration: "such as 90s or 1h30m, in d, h, m and s",
  bytes: "such as 10000 or 16KiB",
};

function origin({ file, line, form, name }: Setting): string {
  const how = { generic: "", service: " (service override)", deprecated: ` (as ${name})` };
  return `${file}:${line}${how[form]}`;
}
