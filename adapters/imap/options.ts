/** The options of the store, from imapd.conf. */
import { milliseconds, type TlsFiles, type TlsKeys } from "../../src/store/kit/index.ts";
import type { ConfigReader } from "../../src/store/store.ts";

export interface ImapOptions {
  /** In the order of preference; never empty. */
  readonly servers: readonly ImapServer[];
  /** By unixhierarchysep of smmapd's imapd.conf; that of the server is queried. */
  readonly separator: "/" | ".";
  /** defaultdomain if virtdomains is on; null: names have no domain. */
  readonly defaultDomain: string | null;
  /** The identity whose rights apply to shared folders: anyone and anonymous, or the login. */
  readonly postIdentity: "anyone" | "login";
  /** Whether the exact usage is determined where the reported STORAGE usage equals its limit. */
  readonly exactQuota: boolean;
  /** Configured role of servers that are part of a murder. */
  readonly murder: "auto" | "frontend" | "backend" | "unified";
  readonly poolSize: number;
  /** Maximum number of connections while some have slow commands; at least poolSize. */
  readonly poolMax: number;
  /** Milliseconds until a connection is authenticated. */
  readonly connectTimeout: number;
}

export interface ImapServer {
  readonly host: string;
  readonly port: number;
  readonly security: Security;
  /** Whether its list of mailboxes is always complete, so that absences are accepted from it. */
  readonly isComplete: boolean;
  readonly login: Login;
  readonly tls: TlsFiles;
  readonly keepAlive: KeepAlive;
}

type Security = "tls" | "starttls" | "plain";

export interface Login {
  readonly user: string;
  readonly password: string;
  /** SASL authorization identity; null: the user itself. */
  readonly userid: string | null;
}

/** Settings of TCP keep-alive. */
export interface KeepAlive {
  readonly enabled: boolean;
  /** Milliseconds. */
  readonly idle: number;
}

const DEFAULT_PORT = { tls: 993, starttls: 143, plain: 143 } as const;
/**
 * Milliseconds; default of tcp_keepalive_time on Linux, tcp(7). Set explicitly, because the library sets a shorter one.
 */
const SYSTEM_IDLE = 7_200_000;
/** The options for TlsFiles. */
export const TLS_KEYS: TlsKeys = {
  caFile: "tls_server_ca_file",
  caDirectory: "tls_server_ca_dir",
  certificateFile: "tls_client_cert",
  keyFile: "tls_client_key",
};

/** @throws ConfigError */
export function parseOptions(config: ConfigReader): ImapOptions {
  const words = (config.string("smmap_imap_server") ?? "").split(/\s+/).filter((word) => word !== "");
  if (words.length === 0) throw config.error("smmap_imap_server", "names no server");
  const poolSize = config.integer("smmap_pool_size");
  if (poolSize < 1) throw config.error("smmap_pool_size", "must be at least 1");
  const poolMax = config.integer("smmap_pool_max");
  if (config.isSet("smmap_pool_max") && poolMax < poolSize) {
    throw config.error("smmap_pool_max", `must be at least smmap_pool_size, which is ${poolSize}`);
  }
  for (const key of ["tcp_keepalive_cnt", "tcp_keepalive_intvl"]) {
    if (config.isSet(key)) config.warn(key, "has no effect on connections of the imap store");
  }
  return {
    servers: words.map((word, index) => parseServer(word, index === 0, config)),
    separator: config.switch("unixhierarchysep") ? "/" : ".",
    defaultDomain: config.choice("virtdomains") === "off" ? null : (config.string("defaultdomain") ?? ""),
    postIdentity: config.choice("smmap_imap_post_identity") === "login" ? "login" : "anyone",
    exactQuota: config.switch("smmap_imap_exact_quota"),
    murder: config.choice("smmap_imap_murder") as ImapOptions["murder"],
    poolSize,
    poolMax: config.isSet("smmap_pool_max") ? poolMax : Math.max(poolMax, 2 * poolSize),
    connectTimeout: milliseconds(config, "client_timeout"),
  };
}

/** host[:port], with an IPv6 address in brackets; optional /tls, /starttls or /plain, and /complete, in any order. */
function parseServer(word: string, isFirst: boolean, config: ConfigReader): ImapServer {
  const key = "smmap_imap_server";
  const match = /^(?:\[([0-9A-Fa-f:.%]+)\]|([^:/[\]]+))(?::([0-9]+))?((?:\/[^/]*)*)$/.exec(word);
  const [, v6, name = "", digits, suffixes = ""] = match ?? [];
  const flags = suffixes.split("/").slice(1);
  const [written, ...others] = flags.filter((flag) => flag !== "complete");
  const isRepeated = flags.length - others.length > (written === undefined ? 1 : 2);
  if (match === null || others.length > 0 || isRepeated || (written !== undefined && !(written in DEFAULT_PORT))) {
    throw config.error(
      key,
      `${word} is not host[:port], optionally followed by one of /tls, /starttls, /plain, and by /complete`,
    );
  }
  const host = v6 ?? name;
  const security = (written as Security | undefined) ?? defaultSecurity(host, digits);
  const port = digits === undefined ? DEFAULT_PORT[security] : Number(digits);
  if (port < 1 || port > 65535) throw config.error(key, `${word}: the port must be a number from 1 to 65535`);
  if (security === "plain" && !isLoopback(host)) config.warn(key, `${host} gets the password in clear text`);
  return {
    host,
    port,
    security,
    isComplete: isFirst || flags.includes("complete"),
    login: readLogin(config, host),
    tls: readTlsFiles(config),
    keepAlive: {
      enabled: config.switch("tcp_keepalive"),
      idle: config.duration("tcp_keepalive_idle") * 1000 || SYSTEM_IDLE,
    },
  };
}

/** Clear text is the default for loopback only; elsewhere it requires "/plain". */
function defaultSecurity(host: string, port: string | undefined): Security {
  if (port !== undefined && Number(port) === DEFAULT_PORT.tls) return "tls";
  return isLoopback(host) ? "plain" : "starttls";
}

function isLoopback(host: string): boolean {
  return host.toLowerCase() === "localhost" || host === "::1" || /^127(\.[0-9]{1,3}){3}$/.test(host);
}

function readLogin(config: ConfigReader, host: string): Login {
  const user = config.string("smmap_imap_authname") ?? config.string("proxy_authname") ?? "";
  const userid = config.string("smmap_imap_userid");
  // Cyrus' name of the option: the host up to its first dot.
  const ownKey = `${host.split(".")[0]}_password`;
  const password = config.string("smmap_imap_password") ?? config.string(ownKey) ?? config.string("proxy_password");
  if (password === null) {
    throw config.error("smmap_imap_password", `no password for ${host}: set it, or ${ownKey}, or proxy_password`);
  }
  rejectForeignIdentity(config, userid === null ? "smmap_imap_authname" : "smmap_imap_userid", userid ?? user);
  return { user, password, userid };
}

/**
 * Cyrus qualifies names without a domain by the domain of the account, so an account of another domain would return
 * facts about other users.
 */
function rejectForeignIdentity(config: ConfigReader, key: string, identity: string): void {
  const at = identity.lastIndexOf("@");
  if (config.choice("virtdomains") === "off" || at < 0) return;
  if (identity.slice(at + 1) === config.string("defaultdomain")) return;
  throw config.error(key, `${identity} belongs to another domain; use an account of the default domain`);
}

function readTlsFiles(config: ConfigReader): TlsFiles {
  const own = (key: string) => {
    const path = config.string(key);
    return path === "disabled" ? null : path;
  };
  const certificateFile = own("tls_client_cert");
  const keyFile = own("tls_client_key");
  if ((certificateFile === null) !== (keyFile === null)) {
    throw config.error(
      certificateFile === null ? "tls_client_key" : "tls_client_cert",
      "tls_client_cert and tls_client_key must be set together",
    );
  }
  return {
    caFile: config.path("tls_server_ca_file"),
    caDirectory: config.path("tls_server_ca_dir"),
    certificateFile,
    keyFile,
  };
}
