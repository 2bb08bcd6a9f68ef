/** Reads and validates the configuration: Cyrus' ldap_* options, smmap_ldap_* options, and defaults of a preset. */
import type { ConfigReader } from "../../src/store/store.ts";
import { type ConnectionOptions, readConnectionOptions } from "./connection-options.ts";
import { type FilterTemplate, filterHasToken } from "./filter.ts";
import { parseFilter } from "./filter-parser.ts";
import { presets } from "./presets.ts";
import type { QuotaUnit } from "./quota.ts";
import type { ReplicaOptions } from "./replica-check.ts";
import { hasToken, parseTemplate, type Template, TemplateError } from "./template.ts";

export interface LdapOptions {
  readonly connection: ConnectionOptions;
  readonly directory: DirectoryOptions;
  readonly recipients: RecipientOptions;
}

/** How the directory is searched. */
export interface DirectoryOptions {
  readonly base: Template;
  readonly scope: Scope;
  readonly derefAliases: "search" | "find" | "always" | "never";
  /** Entries; at least 2, so that a second one is detected. */
  readonly sizeLimit: number;
  /** Seconds that the server may search. */
  readonly timeLimit: number;
  /** The search for the base of a domain's users; null if `base` applies to all domains. */
  readonly domains: DomainOptions | null;
  /** Whether Active Directory must omit references to other parts of the forest. */
  readonly isDomainScope: boolean;
  readonly replica: ReplicaOptions;
}

export type Scope = "sub" | "one" | "base";

export interface DomainOptions {
  readonly base: string;
  readonly filter: FilterTemplate;
  readonly scope: Scope;
  readonly nameAttribute: string;
  readonly resultAttribute: string;
}

/** The attributes from which facts about a mailbox are read. */
export interface RecipientOptions {
  readonly userFilter: FilterTemplate;
  /** null if the store has no shared folders. */
  readonly sharedFilter: FilterTemplate | null;
  /** Attribute with the name of the quota root for the log. */
  readonly nameAttribute: string | null;
  /** null unless limit and usage are both configured. */
  readonly storage: StorageAttributes | null;
  readonly messages: MessageAttributes | null;
  /** Whether a limit of 0 means unlimited. */
  readonly zeroIsUnlimited: boolean;
  readonly status: StatusAttribute | null;
  /** Rights of shared folders; null if only their existence is known. */
  readonly aclAttribute: string | null;
  /** Folders of users; null if the directory has none. */
  readonly folderAttribute: string | null;
  /** Separates the levels of a folder's path. */
  readonly separator: "/" | ".";
  /** The domain of an address without one. */
  readonly defaultDomain: string;
}

export interface StorageAttributes {
  readonly limit: string;
  readonly usage: string;
  readonly unit: QuotaUnit;
}

export interface MessageAttributes {
  readonly limit: string;
  readonly usage: string;
}

export interface StatusAttribute {
  readonly attribute: string;
  /** Keys are values in lower case. */
  readonly meanings: ReadonlyMap<string, StatusMeaning>;
}

export type StatusMeaning = "ok" | "notfound" | "temp";

/** Tokens of a user's address. */
const ADDRESS_TOKENS = "uUdR123456789";
const attributeName = /^(?:[A-Za-z][A-Za-z0-9-]*|\d+(?:\.\d+)+)(?:;[A-Za-z0-9-]+)*$/;

/** @throws ConfigError */
export function readOptions(config: ConfigReader): LdapOptions {
  applyPreset(config);
  const base = readTemplate(config, "ldap_base");
  const recipients = readRecipients(config);
  const domains = readDomains(config);
  if (recipients.sharedFilter !== null && domains === null && hasToken(base, "uU")) {
    throw config.error(
      "ldap_base",
      "%u and %U have no value for shared folders: smmap_ldap_shared_filter requires a base without them",
    );
  }
  if (domains === null && base.length === 0) {
    config.warn("ldap_base", "without it searches begin at the root, which most servers refuse");
  }
  const connection = readConnectionOptions(config);
  return {
    connection,
    directory: {
      base,
      scope: config.choice("ldap_scope") as Scope,
      derefAliases: config.choice("ldap_deref") as DirectoryOptions["derefAliases"],
      sizeLimit: Math.max(2, config.integer("ldap_size_limit")),
      timeLimit: Math.max(0, Math.ceil(config.duration("ldap_time_limit"))),
      domains,
      isDomainScope: config.choice("smmap_ldap_preset") === "ad",
      replica: {
        mode: config.choice("smmap_ldap_replica_check") as ReplicaOptions["mode"],
        firstUri: connection.endpoints[0]?.uri ?? "",
        hasOthers: connection.endpoints.length > 1,
      },
    },
    recipients,
  };
}

/** Sites use four units for the same attribute name, so a preset's unit applies only to the preset's attribute. */
function applyPreset(config: ConfigReader): void {
  const name = config.choice("smmap_ldap_preset");
  const { smmap_ldap_quota_unit: unit, ...defaults } = presets[name] ?? {};
  const hasUnit = unit !== undefined && !config.isSet("smmap_ldap_quota_attribute");
  config.setDefaults(hasUnit ? { ...defaults, smmap_ldap_quota_unit: unit } : defaults, `preset ${name}`);
}

function readDomains(config: ConfigReader): DomainOptions | null {
  const base = config.string("ldap_domain_base_dn") ?? "";
  if (base === "") return null;
  const text = config.string("ldap_domain_filter") ?? "";
  return {
    base,
    filter: templated(config, "ldap_domain_filter", () => parseFilter(text, "s")),
    scope: config.choice("ldap_domain_scope") as Scope,
    nameAttribute: required(config, "ldap_domain_name_attribute"),
    resultAttribute: required(config, "ldap_domain_result_attribute"),
  };
}

function readRecipients(config: ConfigReader): RecipientOptions {
  const userFilter = templated(config, "ldap_filter", () =>
    parseFilter(config.string("ldap_filter") ?? "", ADDRESS_TOKENS),
  );
  const sharedText = config.string("smmap_ldap_shared_filter");
  const sharedFilter =
    sharedText === null
      ? null
      : templated(config, "smmap_ldap_shared_filter", () => parseFilter(sharedText, `${ADDRESS_TOKENS}f`));
  const aclAttribute = attribute(config, "smmap_ldap_acl_attribute");
  if (sharedFilter !== null && aclAttribute === null && filterHasToken(sharedFilter, "f")) {
    throw config.error(
      "smmap_ldap_acl_attribute",
      "is required with %f in smmap_ldap_shared_filter, for the right to post",
    );
  }
  return {
    userFilter,
    sharedFilter,
    nameAttribute: attribute(config, "ldap_user_attribute"),
    ...readQuota(config),
    zeroIsUnlimited: !config.isSet("smmap_quota_zero") || config.choice("smmap_quota_zero") === "unlimited",
    status: readStatus(config),
    aclAttribute,
    folderAttribute: attribute(config, "smmap_ldap_folder_attribute"),
    separator: config.switch("unixhierarchysep") ? "/" : ".",
    defaultDomain: config.string("defaultdomain") ?? "",
  };
}

function readQuota(config: ConfigReader): Pick<RecipientOptions, "storage" | "messages"> {
  const limit = attribute(config, "smmap_ldap_quota_attribute");
  const usage = attribute(config, "smmap_ldap_usage_attribute");
  const messageLimit = attribute(config, "smmap_ldap_messages_attribute");
  const messageUsage = attribute(config, "smmap_ldap_messages_usage_attribute");
  if (usage !== null && limit === null) {
    throw config.error("smmap_ldap_usage_attribute", "requires smmap_ldap_quota_attribute, the limit");
  }
  if (messageUsage !== null && messageLimit === null) {
    throw config.error("smmap_ldap_messages_usage_attribute", "requires smmap_ldap_messages_attribute, the limit");
  }
  if (usage === null && messageUsage === null) {
    config.warn(
      "smmap_ldap_usage_attribute",
      "without it no mailbox is over quota: only existence and status are used",
    );
  }
  return {
    storage:
      limit === null || usage === null
        ? null
        : { limit, usage, unit: config.choice("smmap_ldap_quota_unit") as QuotaUnit },
    messages: messageLimit === null || messageUsage === null ? null : { limit: messageLimit, usage: messageUsage },
  };
}

function readStatus(config: ConfigReader): StatusAttribute | null {
  const name = attribute(config, "smmap_ldap_status_attribute");
  const text = config.string("smmap_ldap_status_values");
  if (name === null) {
    if (text !== null) throw config.error("smmap_ldap_status_values", "requires smmap_ldap_status_attribute");
    return null;
  }
  if (text === null) throw config.error("smmap_ldap_status_values", "is required with smmap_ldap_status_attribute");
  const meanings = new Map<string, StatusMeaning>();
  for (const word of text.split(/\s+/).filter((part) => part !== "")) {
    const [, value, meaning] = /^(.+)=(ok|notfound|temp)$/.exec(word) ?? [];
    if (value === undefined || meanings.has(value.toLowerCase())) {
      throw config.error(
        "smmap_ldap_status_values",
        `${word} must be VALUE=ok, VALUE=notfound or VALUE=temp, with each value only once`,
      );
    }
    meanings.set(value.toLowerCase(), meaning as StatusMeaning);
  }
  return { attribute: name, meanings };
}

function readTemplate(config: ConfigReader, key: string): Template {
  return templated(config, key, () => parseTemplate(config.string(key) ?? "", ADDRESS_TOKENS));
}

/** Converts a TemplateError into a ConfigError. */
function templated<T>(config: ConfigReader, key: string, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    if (error instanceof TemplateError) throw config.error(key, error.message);
    throw error;
  }
}

function attribute(config: ConfigReader, key: string): string | null {
  const name = config.string(key);
  if (name !== null && !attributeName.test(name)) throw config.error(key, "is not an attribute name");
  return name;
}

function required(config: ConfigReader, key: string): string {
  const name = attribute(config, key);
  if (name === null) throw config.error(key, "is required with ldap_domain_base_dn");
  return name;
}
