/** What the store takes from imapd.conf. */
import { milliseconds, type TlsFiles, type TlsKeys } from "../../src/store/kit/index.ts";
import type { ConfigReader } from "../../src/store/store.ts";

export interface ImapOptions {
  /** In the order of preference; never empty. */
  readonly servers: readonly ImapServer[];
  /** unixhierarchysep of our own imapd.conf; the server's is asked for. */
  readonly separator: "/" | ".";
  /** defaultdomain where virtdomains is on; null: domains are no part of a name. */
  readonly defaultDomain: string | null;
  /** Whose rights count on shared folders: those of anyone and anonymous, or those of the login. */
  readonly postIdentity: "anyone" | "login";
  /** Whether a storage usage that is shown as just the limit is asked for to the octet. */
  readonly exactQuota: boolean;
  /** What a server that is part of a murder is meant to be. */
  readonly murder: "auto" | "frontend" | "backend" | "unified";
  readonly poolSize: number;
  /** Connections while some are held by commands that take long; at least poolSize. */
  readonly poolMax: number;
  /** Milliseconds until a connection is made and logged in. */
  readonly connectTimeout: number;
}

export interface ImapServer {
  readonly host: string;
  readonly port: number;
  readonly security: Security;
  /** Whether it knows every mailbox at any time, so that its word for an absent one counts. */
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

/** TCP's. */
export interface KeepAlive {
  readonly enabled: boolean;
  /** Milliseconds. */
  readonly idle: number;
}

const DEFAULT_PORT = { tls: 993, starttls: 143, plain: 143 } as const;
/** Milliseconds; Linux' own tcp_keepalive_time, tcp(7). The library has set a shorter one by then. */
const SYSTEM_IDLE = 7_200_000;
/** The options that TlsFiles come from. */
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

/** host[:port], the host perhaps an IPv6 address in brackets; then /tls, /starttls or /plain, and /complete, in any order. */
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
      `${word} is not host[:port] with one of /tls, /starttls, /plain and perhaps /complete behind it`,
    );
  }
  const host = v6 ?? name;
  const security = (written as Security | undefined) ?? defaultSecurity(host, digits);
  const port = digits === undefined ? DEFAULT_PORT[security] : Number(digits);
  if (port < 1 || port > 65535) throw config.error(key, `${word}: a port is a number from 1 to 65535`);
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

/** Nothing leaves the machine in clear text unless "/plain" is written. */
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
  // As Cyrus names it: the host up to its first dot.
  const ownKey = `${host.split(".")[0]}_password`;
  const password = config.string("smmap_imap_password") ?? config.string(ownKey) ?? config.string("proxy_password");
  if (password === null) {
    throw config.error("smmap_imap_password", `no password for ${host}: set it, or ${ownKey}, or proxy_password`);
  }
  refuseForeignIdentity(config, userid === null ? "smmap_imap_authname" : "smmap_imap_userid", userid ?? user);
  return { user, password, userid };
}

/** To an account of a domain, Cyrus' bare names mean that domain's mailboxes: the answers would be about other people. */
function refuseForeignIdentity(config: ConfigReader, key: string, identity: string): void {
  const at = identity.lastIndexOf("@");
  if (config.choice("virtdomains") === "off" || at < 0) return;
  if (identity.slice(at + 1) === config.string("defaultdomain")) return;
  throw config.error(key, `${identity} belongs to a domain; it takes an account of the default domain`);
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
      "needs the other of tls_client_cert and tls_client_key",
    );
  }
  return {
    caFile: config.path("tls_server_ca_file"),
    caDirectory: config.path("tls_server_ca_dir"),
    certificateFile,
    keyFile,
  };
}
