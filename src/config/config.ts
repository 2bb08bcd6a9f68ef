/** imapd.conf as typed values, and what there is to say about it. */
import { resolve } from "node:path";
import { ConfigError, type ConfigReader, type KeyDefinition, type KeyType } from "../store/store.ts";
import { cyrusOptions } from "./cyrus-options.ts";
import { type ImapdConf, readImapdConf } from "./imapd-conf.ts";
import { keys as ownKeys } from "./keys.ts";
import { deprecatedNames, type Setting, type SettledOptions, settleOptions } from "./options.ts";
import { misspeltOption, nearestName } from "./typos.ts";
import * as values from "./values.ts";

/** Where Cyrus keeps its configuration. */
export const defaultConfigFile = "/etc/imapd.conf";

export interface ConfigSource {
  /** Path of the configuration file. */
  readonly file: string;
  /** The environment: CYRUS_PREFIX, and CYRUS_SERVICE for the name of the service ("smmap" without it). */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** What was read of the file before; without it, it is read. */
  readonly conf?: ImapdConf;
  /** Options of an adapter, where they are known beforehand. */
  readonly keys?: readonly KeyDefinition[];
}

/** @throws ConfigError where the file cannot be read, breaks the grammar, sets an option twice, has no configdirectory */
export function loadConfig({ file, env, conf, keys = [] }: ConfigSource): Config {
  return new Config(conf ?? readImapdConf(file, env.CYRUS_PREFIX), env.CYRUS_SERVICE || "smmap", keys);
}

/** An option as it is in force. */
export interface EffectiveOption {
  readonly name: string;
  /** Masked where it is secret; null: unset. */
  readonly value: string | null;
  readonly isSet: boolean;
  /**
   * Where it is set: "/etc/imapd.conf:12", perhaps with "(service override)" or "(as ldap_servers)". Where it is not:
   * "default", or whose default it is, such as "preset kolab".
   */
  readonly origin: string;
  /** Why its type refuses the value; null: it does not. */
  readonly problem: string | null;
}

/** Unknown names without our prefix that are compared with those of options; a file that a person writes has fewer. */
const COMPARED_MAX = 1_000;

const masked = "********";
const configDirectoryToken = /^\{configdirectory\}/i;

export class Config implements ConfigReader {
  /** In lower case. An option written with this name and "_" in front is for us alone. */
  readonly service: string;
  /** What was read. */
  readonly conf: ImapdConf;
  #definitions: ReadonlyMap<string, KeyDefinition>;
  #settled: SettledOptions;
  /** Defaults that came later than the definitions. */
  readonly #defaults = new Map<string, { readonly value: string; readonly origin: string }>();
  /** Names without a definition that were asked for all the same, such as imap1_password. */
  readonly #asked = new Set<string>();
  readonly #warnings = new Set<string>();

  /** @param keys options beyond those of the manual page */
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

  /** Makes further options known; one of the manual page stays as it is. */
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
    // Cyrus leaves a relative path to the current directory; sql_database and what is ours know better.
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

  /** Whether the file sets the option for this service alone, by a name with its prefix. */
  isSetForService(key: string): boolean {
    return this.#find(key)?.form === "service";
  }

  /** Puts configdirectory in the place of {configdirectory} at the beginning of a text. */
  expand(text: string): string {
    return text.replace(configDirectoryToken, () => this.#configDirectory());
  }

  error(key: string, problem: string): ConfigError {
    return new ConfigError(this.#describe(key, problem));
  }

  warn(key: string, problem: string): void {
    this.#warnings.add(this.#describe(key, problem));
  }

  /** What a person should know about the file, with file and line. Complete once everything has been read. */
  warnings(): readonly string[] {
    const { warnings: traps } = this.conf;
    return [...traps, ...this.#settled.warnings, ...this.#unknownNames(), ...this.#openSecrets(), ...this.#warnings];
  }

  /** Every option that we read, in the order of the manual page. Reads them all. */
  effective(): readonly EffectiveOption[] {
    const asked = [...this.#asked].filter((name) => this.isSet(name)).sort();
    return [...this.#definitions.keys(), ...asked].map((name) => {
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

  /** A known option's prefix is off already; any other name is looked up with it first, as Cyrus does. */
  #find(name: string): Setting | undefined {
    const { settings } = this.#settled;
    return (this.#isKnown(name) ? undefined : settings.get(`${this.service}_${name}`)) ?? settings.get(name);
  }

  #undefinedString(name: string): string | null {
    this.#asked.add(name);
    return this.#find(name)?.value ?? null;
  }

  #text(key: string, type: KeyType): string | null {
    const definition = this.#definitions.get(key);
    if (definition?.type !== type) throw new Error(`${key} is not an option of type ${type}`);
    return this.#unparsed(key);
  }

  /** As it is written, or would be; null: unset. */
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
    if (setting === undefined) throw this.error(key, `is needed here: ${type.hint(words)}`);
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
   * Names that are most likely misspelt: those with our prefix that are neither ours nor an option of Cyrus for this
   * service, and those without it that differ little from the name of an option that we read.
   */
  #unknownNames(): string[] {
    const options = [...this.#definitions.keys(), ...cyrusOptions];
    const read = [...this.#definitions.keys(), ...deprecatedNames];
    let compared = 0;
    return this.conf.options.flatMap(({ name, file, line }) => {
      const prefix = [`${this.service}_`, "smmap_"].find((start) => name.startsWith(start));
      if (prefix === undefined) {
        if (this.#asked.has(name) || this.#isKnown(name) || ++compared > COMPARED_MAX) return [];
        const meant = misspeltOption(name, read, (option) => this.#isKnown(option));
        return meant === null ? [] : [unknownOption({ name, file, line }, meant)];
      }
      if (this.#isKnown(name)) return [];
      const rest = name.slice(prefix.length);
      if (this.#isKnown(rest) || this.#asked.has(rest) || this.#asked.has(name)) return [];
      const nearest = nearestName(name, [...this.#definitions.keys(), ...options.map((option) => prefix + option)]);
      return [unknownOption({ name, file, line }, nearest)];
    });
  }

  /** One warning for each file that everybody may read though it holds a secret. */
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

/** Of two definitions the first one counts. */
function byName(keys: readonly KeyDefinition[]): ReadonlyMap<string, KeyDefinition> {
  const definitions = new Map<string, KeyDefinition>();
  for (const key of keys) if (!definitions.has(key.name)) definitions.set(key.name, key);
  return definitions;
}

function origin({ file, line, form, name }: Setting): string {
  const how = { generic: "", service: " (service override)", deprecated: ` (as ${name})` };
  return `${file}:${line}${how[form]}`;
}
