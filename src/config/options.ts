/** Decides which line sets which option: service prefix, precedence, duplicates, deprecated names (Cyrus lib/libconfig.c). */
import { ConfigError } from "../store/store.ts";
import type { OptionLine } from "./imapd-conf.ts";

/** The line that sets an option. */
export interface Setting extends OptionLine {
  /** service: set by a name with the service's prefix. deprecated: set by an older name. */
  readonly form: "generic" | "service" | "deprecated";
}

export interface SettledOptions {
  /** By the option's name without the prefix. Unknown names are kept as they are written. */
  readonly settings: ReadonlyMap<string, Setting>;
  readonly warnings: readonly string[];
}

/** Old and new names of the options that are read; all changed in Cyrus 2.5.0. */
const replacements: readonly (readonly [deprecated: string, name: string])[] = [
  ["ldap_servers", "ldap_uri"],
  ["ldap_sasl_authc", "ldap_id"],
  ["ldap_sasl_authz", "ldap_authz"],
  ["ldap_sasl_mech", "ldap_mech"],
  ["ldap_sasl_password", "ldap_password"],
  ["ldap_tls_cacert_file", "ldap_ca_file"],
  ["ldap_tls_cacert_dir", "ldap_ca_dir"],
  ["ldap_tls_cert", "ldap_client_cert"],
  ["ldap_tls_key", "ldap_client_key"],
  ["ldap_tls_ciphers", "ldap_ciphers"],
  ["ldap_tls_check_peer", "ldap_verify_peer"],
];

/** Old names that are still read. */
export const deprecatedNames: readonly string[] = replacements.map(([deprecated]) => deprecated);

/**
 * @param service name of the service, in lower case
 * @param isKnown true if the name is an option of Cyrus or of smmapd
 * @throws ConfigError if an option is set twice
 */
export function settleOptions(
  lines: readonly OptionLine[],
  service: string,
  isKnown: (name: string) => boolean,
): SettledOptions {
  const settings = new Map<string, Setting>();
  for (const line of lines) {
    const rest = line.name.startsWith(`${service}_`) ? line.name.slice(service.length + 1) : "";
    const form = isKnown(rest) ? "service" : "generic";
    const name = form === "service" ? rest : line.name;
    const earlier = settings.get(name);
    if (earlier?.form === form) throw duplicate(line, earlier);
    if (earlier?.form !== "service") settings.set(name, { ...line, form });
  }
  const warnings = [];
  for (const [deprecated, name] of replacements) {
    const setting = settings.get(deprecated);
    if (setting === undefined) continue;
    const { file, line } = setting;
    warnings.push(`${file}:${line}: Option '${deprecated}' is deprecated in favor of '${name}' since version 2.5.0.`);
    if (!settings.has(name)) settings.set(name, { ...setting, form: "deprecated" });
  }
  return { settings, warnings };
}

function duplicate(second: OptionLine, first: OptionLine): ConfigError {
  return new ConfigError(
    `option '${second.name}' was specified twice in config file ` +
      `(second occurrence on line ${second.line} of ${second.file}, first on line ${first.line} of ${first.file})`,
  );
}
