/** imapd.conf as typed values, with its errors and warnings. */
import { resolve } from "node:path";
import { ConfigError, type ConfigReader, type KeyDefinition, type KeyType } from "../store/store.ts";
import { cyrusOptions } from "./cyrus-options.ts";
import { type ImapdConf, readImapdConf } from "./imapd-conf.ts";
import { keys as ownKeys } from "./keys.ts";
import { deprecatedNames, type Setting, type SettledOptions, settleOptions } from "./options.ts";
import { misspeltOption, nearestName } from "./typos.ts";
import * as values from "./values.ts";

/** Cyrus' configuration file. */
export const defaultConfigFile = "/etc/imapd.conf";

export interface ConfigSource {
  /** Path of the configuration file. */
  readonly file: string;
  /** The environment: CYRUS_PREFIX, and CYRUS_SERVICE for the name of the service ("smmap" without it). */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The parsed file, if it was read before. */
  readonly conf?: ImapdConf;
  /** Options of an adapter, if they are known already. */
  readonly keys?: readonly KeyDefinition[];
}

/** @throws ConfigError if the file cannot be read, has a syntax error, sets an option twice, or has no configdirectory */
export function loadConfig({ file, env, conf, keys = [] }: ConfigSource): Config {
  return new Config(conf ?? readImapdConf(file, env.CYRUS_PREFIX), env.CYRUS_SERVICE || "smmap", keys);
}

/** The effective value of an option. */
export interface EffectiveOption {
  readonly name: string;
  /** Masked if it is secret; null: unset. */
  readonly value: string | null;
  readonly isSet: boolean;
  /**
   * File and line: "/etc/imapd.conf:12", possibly with "(service override)" or "(as ldap_servers)". For an unset option
   * "default", or the source of the default, such as "preset kolab".
   */
  readonly origin: string;
  /** The error of the value; null: it is valid for its type. */
  readonly problem: string | null;
}

/** Number of unknown names without our prefix that are compared with the names of options, to bound the time. */
const COMPARED_MAX = 1_000;

const masked = "********";
const configDirectoryToken = /^\{configdirectory\}/i;

export class Config implements ConfigReader {
  /** In lower case. An option with this name and "_" in front of it is for this service only. */
  readonly service: string;
  /** The parsed file. */
  readonly conf: ImapdConf;
  #definitions: ReadonlyMap<string, KeyDefinition>;
  #settled: SettledOptions;
  /** Defaults of an adapter, which replace those of the definitions. */
  readonly #defaults = new Map<string, { readonly value: string; readonly origin: string }>();
  /** Names without a definition that were read, such as imap1_password. */
  readonly #readNames = new Set<string>();
  readonly #warnings = new Set<string>();

  /** @param keys options in addition to those of the manual page */
  constructor(conf: ImapdConf, service: string, keys: readonly KeyDefinition[] = []) {
    this.conf = conf;
    this.service = service.toLowerCase();
    this.#definitions = byName([...ownKeys, ...keys]);
    this.#settled = this.#settle();
    const directory = this.#find("configdirectory");
    if (directory === undefined) {
      throw new ConfigError(`configdirectory option not specified in configuration file ${conf.file}`);
    }
    if (!directory.value.startsWith("/")) throw this.error("configdirectory", "must be fully qualified");
    if (directory.value === "/") throw this.error("configdirectory", "must not be '/'");
  }

  /** Adds definitions of options; a definition of the manual page is not replaced. */
  register(keys: readonly KeyDefinition[]): void {
    this.#definitions = byName([...this.#definitions.values(), ...keys]);
    this.#settled = this.#settle();
  }

  setDefaults(defaults: Readonly<Record<string, string>>, origin: string): void {
    for (const [key, value] of Object.entries(defaults)) this.#defaults.set(key, { value, origin });
  }

  string(key: string): string | null {
    if (!this.#definitions.has(key)) return this.#undefinedString(key.toLowerCase());
    const text = this.#text(key, "string");
    return text === null ? null : this.expand(text);
  }

  path(key: string): string | null {
    const text = this.#text(key, "path");
    if (text === null) return null;
    // In Cyrus a relative path starts at the current directory; sql_database and smmap_ options start at configdirectory.
    const isCyrus = cyrusOptions.has(key) && key !== "sql_database";
    return isCyrus ? this.expand(text) : resolve(this.#configDirectory(), this.expand(text));
  }

  integer(key: string): number {
    return this.#value(key, "integer", values.integer);
  }

  switch(key: string): boolean {
    return this.#value(key, "switch", values.switchType);
  }

  choice(key: string): string {
    return this.#value(key, "choice", values.choice);
  }

  duration(key: string): number {
    return this.#value(key, "duration", values.duration);
  }

  bytes(key: string): number {
    return this.#value(key, "bytes", values.bytes);
  }

  isSet(key: string): boolean {
    return this.#find(key) !== undefined;
  }

  /** True if the file sets the option for this service only, by a name with the service's prefix. */
  isSetForService(key: string): boolean {
    return this.#find(key)?.form === "service";
  }

  /** Replaces {configdirectory} at the beginning of a text. */
  expand(text: string): string {
    return text.replace(configDirectoryToken, () => this.#configDirectory());
  }

  error(key: string, problem: string): ConfigError {
    return new ConfigError(this.#describe(key, problem));
  }

  warn(key: string, problem: string): void {
    this.#warnings.add(this.#describe(key, problem));
  }

  /** Warnings about the file, with file and line. Complete after all options were read. */
  warnings(): readonly string[] {
    const { warnings: traps } = this.conf;
    return [...traps, ...this.#settled.warnings, ...this.#unknownNames(), ...this.#openSecrets(), ...this.#warnings];
  }

  /** Every option that is read, in the order of the manual page. Reads all of them. */
  effective(): readonly EffectiveOption[] {
    const undefinedNames = [...this.#readNames].filter((name) => this.isSet(name)).sort();
    return [...this.#definitions.keys(), ...undefinedNames].map((name) => {
      const setting = this.#find(name);
      return {
        name,
        value: this.#shown(name),
        isSet: setting !== undefined,
        origin: setting === undefined ? (this.#defaults.get(name)?.origin ?? "default") : origin(setting),
        problem: this.#problem(name),
      };
    });
  }

  #settle(): SettledOptions {
    return settleOptions(this.conf.options, this.service, (name) => this.#isKnown(name));
  }

  #isKnown(name: string): boolean {
    return this.#definitions.has(name) || cyrusOptions.has(name);
  }

  #isSecret(name: string): boolean {
    return this.#definitions.get(name)?.secret ?? /passw(?:or)?d$/.test(name);
  }

  /** Known options are stored without the prefix; any other name is looked up with the prefix first, as in Cyrus. */
  #find(name: string): Setting | undefined {
    const { settings } = this.#settled;
    return (this.#isKnown(name) ? undefined : settings.get(`${this.service}_${name}`)) ?? settings.get(name);
  }

  #undefinedString(name: string): string | null {
    this.#readNames.add(name);
    return this.#find(name)?.value ?? null;
  }

  #text(key: string, type: KeyType): string | null {
    const definition = this.#definitions.get(key);
    if (definition?.type !== type) throw new Error(`${key} is not an option of type ${type}`);
    return this.#unparsed(key);
  }

  /** The text of the value or of the default; null: unset. */
  #unparsed(name: string): string | null {
    const setting = this.#find(name) ?? this.#defaults.get(name);
    return setting?.value ?? this.#definitions.get(name)?.default ?? null;
  }

  #value<T>(key: string, name: KeyType, type: values.ValueType<T>): T {
    const words = this.#definitions.get(key)?.values ?? [];
    const text = this.#text(key, name);
    const value = text === null ? null : type.parse(text, words);
    if (value !== null) return value;
    const setting = this.#find(key);
    if (setting === undefined) throw this.error(key, `is required here: ${type.hint(words)}`);
    const complaint = type.complaint(key, this.#isSecret(key) ? masked : setting.value);
    const place = `in line ${setting.line} of configuration file ${setting.file}`;
    throw new ConfigError(`${complaint} ${place} (${type.hint(words)})`);
  }

  #problem(name: string): string | null {
    const type = this.#definitions.get(name)?.type;
    if (type === undefined || !this.isSet(name)) return null;
    try {
      this[type](name);
      return null;
    } catch (error) {
      if (error instanceof ConfigError) return error.message;
      throw error;
    }
  }

  #configDirectory(): string {
    return this.#find("configdirectory")?.value ?? "";
  }

  #describe(key: string, problem: string): string {
    const setting = this.#find(key);
    if (setting === undefined) return `${this.conf.file}: ${key}: ${problem} (the file does not set it)`;
    const value = this.#isSecret(key) ? masked : `'${setting.value}'`;
    return `${setting.file}:${setting.line}: ${setting.name}: ${problem} (value ${value})`;
  }

  #shown(name: string): string | null {
    const text = this.#unparsed(name);
    if (text === null) return null;
    if (this.#isSecret(name)) return masked;
    const type = this.#definitions.get(name)?.type;
    return type === "string" || type === "path" ? this[type](name) : text;
  }

  /**
   * Names that are most likely misspelt: names with our prefix that are neither an option of smmapd nor an option of Cyrus
   * for this service, and names without the prefix that differ little from the name of an option that is read.
   */
  #unknownNames(): string[] {
    const options = [...this.#definitions.keys(), ...cyrusOptions];
    const read = [...this.#definitions.keys(), ...deprecatedNames];
    let compared = 0;
    return this.conf.options.flatMap(({ name, file, line }) => {
      const prefix = [`${this.service}_`, "smmap_"].find((start) => name.startsWith(start));
      if (prefix === undefined) {
        if (this.#readNames.has(name) || this.#isKnown(name) || ++compared > COMPARED_MAX) return [];
        const meant = misspeltOption(name, read, (option) => this.#isKnown(option));
        return meant === null ? [] : [unknownOption({ name, file, line }, meant)];
      }
      if (this.#isKnown(name)) return [];
      const rest = name.slice(prefix.length);
      if (this.#isKnown(rest) || this.#readNames.has(rest) || this.#readNames.has(name)) return [];
      const nearest = nearestName(name, [...this.#definitions.keys(), ...options.map((option) => prefix + option)]);
      return [unknownOption({ name, file, line }, nearest)];
    });
  }

  /** One warning for each file with a secret that every user may read. */
  #openSecrets(): string[] {
    const open = new Map<string, Setting>();
    for (const [name, setting] of this.#settled.settings) {
      const isOpen = this.#isSecret(name) && this.conf.worldReadable.has(setting.file);
      if (isOpen && !open.has(setting.file)) open.set(setting.file, setting);
    }
    return [...open.values()].map(
      ({ file, line, name }) => `${file}:${line}: every user of this machine can read ${name}; chmod o-r ${file}`,
    );
  }
}

function unknownOption({ name, file, line }: Pick<Setting, "name" | "file" | "line">, meant: string | null): string {
  return `${file}:${line}: unknown option ${name}${meant === null ? "" : `; did you mean ${meant}?`}`;
}

/** Of two definitions of a name the first one is used. */
function byName(keys: readonly KeyDefinition[]): ReadonlyMap<string, KeyDefinition> {
  const definitions = new Map<string, KeyDefinition>();
  for (const key of keys) if (!definitions.has(key.name)) definitions.set(key.name, key);
  return definitions;
}

function origin({ file, line, form, name }: Setting): string {
  const how = { generic: "", service: " (service override)", deprecated: ` (as ${name})` };
  return `${file}:${line}${how[form]}`;
}
