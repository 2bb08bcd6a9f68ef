/** The daemon's own settings from imapd.conf, checked and in its units. */
import { isIPv6 } from "node:net";
import type { AccessTexts } from "../engine/access.ts";
import type { RecipientRules } from "../engine/recipient.ts";
import type { ReplyPolicy } from "../engine/verdict.ts";
import type { CacheSettings } from "../store/cache/answer-cache.ts";
import type { DetailFallback } from "../store/detail-fallback.ts";
import { milliseconds } from "../store/kit/duration.ts";
import { notNegative, positive } from "./checks.ts";
import type { Config } from "./config.ts";
import { type Limits, readLimits } from "./limits.ts";
import { chooseStore, type StoreChoice } from "./store-choice.ts";

/** A unix socket by its path, or a TCP address; port 0 lets the system choose. */
export type ListenAddress = { readonly path: string } | { readonly host: string; readonly port: number };

export interface Settings {
  readonly rules: RecipientRules;
  readonly policy: ReplyPolicy;
  /** lmtp_strict_quota: policy delegation adds the size of the message to the usage. */
  readonly countsSize: boolean;
  readonly detailFallback: DetailFallback;
  /** smmap_reply_value: the value after OK. */
  readonly value: "key" | "mailbox";
  /** Names of maps whose replies are actions of Postfix' access(5). */
  readonly accessMaps: ReadonlySet<string>;
  readonly accessTexts: AccessTexts;
  /** Addresses for Postfix' policy delegation; []: none. */
  readonly policyListen: readonly ListenAddress[];
  /** Milliseconds. */
  readonly queryTimeout: number;
  readonly limits: Limits;
  /** Never empty. */
  readonly listen: readonly ListenAddress[];
  /** Addresses of the metrics endpoint; []: none. */
  readonly metricsListen: readonly ListenAddress[];
  /** Beginning of the path of each process' control socket; null: there is none. */
  readonly controlSocket: string | null;
  /** Permission bits of UNIX sockets. */
  readonly socketMode: number;
  readonly log: LogSettings;
  /** auditlog: each answer is logged. */
  readonly isAudited: boolean;
  readonly breakerFailures: number;
  /** Milliseconds. */
  readonly breakerReset: number;
  readonly cache: CacheSettings;
  /** smmap_cache_verdicts: number of accepted requests that are cached; 0: none. */
  readonly acceptCacheSize: number;
  readonly store: StoreChoice;
}

export interface LogSettings {
  /** null: unset, so it depends on how the program was started. */
  readonly place: "syslog" | "text" | "json" | null;
  /** Number of syslog's facility (RFC 5424 section 6.2.1). */
  readonly facility: number;
  readonly prefix: string | null;
  /** debug: messages of the level debug are logged. */
  readonly isDebug: boolean;
}

/** @throws ConfigError */
export function readSettings(config: Config): Settings {
  const separator = config.switch("unixhierarchysep") ? "/" : ".";
  return {
    rules: {
      virtualDomains: config.choice("virtdomains") !== "off",
      defaultDomain: config.string("defaultdomain") ?? "",
      separator,
      downcase: config.switch("lmtp_downcase_rcpt"),
      postuser: config.string("postuser") ?? "",
      skipPlus: config.switch("smmap_skip_plus"),
    },
    policy: {
      overQuotaIsPermanent: config.switch("lmtp_over_quota_perm_failure"),
      failureIsAccepted: config.choice("smmap_on_failure") === "ok",
    },
    countsSize: config.switch("lmtp_strict_quota"),
    detailFallback: {
      ignoresCase: config.switch("smmap_detail_ignore_case"),
      fallsBack: config.switch("smmap_plus_fallback"),
    },
    value: config.choice("smmap_reply_value") === "mailbox" ? "mailbox" : "key",
    accessMaps: new Set(words(config, "smmap_access_map")),
    accessTexts: {
      absent: accessText(config, "smmap_text_absent"),
      denied: accessText(config, "smmap_text_denied"),
      overQuota: accessText(config, "smmap_text_over_quota"),
      failed: accessText(config, "smmap_text_failed"),
    },
    policyListen: readListen(config, "smmap_policy_listen"),
    queryTimeout: milliseconds(config, "smmap_query_timeout"),
    limits: readLimits(config),
    listen: readListen(config, "smmap_listen"),
    metricsListen: readListen(config, "smmap_metrics_listen"),
    controlSocket: readControlSocket(config),
    socketMode: readSocketMode(config),
    log: readLog(config),
    isAudited: config.switch("auditlog"),
    breakerFailures: positive(config, "smmap_breaker_failures", config.integer("smmap_breaker_failures")),
    breakerReset: milliseconds(config, "smmap_breaker_reset"),
    cache: {
      size: notNegative(config, "smmap_cache_size", config.integer("smmap_cache_size")),
      ttl: notNegative(config, "smmap_cache_ttl", config.duration("smmap_cache_ttl")) * 1000,
      quotaTtl: notNegative(config, "smmap_cache_quota_ttl", config.duration("smmap_cache_quota_ttl")) * 1000,
      negativeTtl: notNegative(config, "smmap_cache_negative_ttl", config.duration("smmap_cache_negative_ttl")) * 1000,
      staleTtl: notNegative(config, "smmap_cache_stale_ttl", config.duration("smmap_cache_stale_ttl")) * 1000,
    },
    acceptCacheSize: notNegative(config, "smmap_cache_verdicts", config.integer("smmap_cache_verdicts")),
    store: chooseStore(config),
  };
}

function readSocketMode(config: Config): number {
  const text = config.string("smmap_socket_mode") ?? "";
  if (!/^0*[0-7]{1,3}$/.test(text)) throw config.error("smmap_socket_mode", "must be octal and at most 0777");
  return Number.parseInt(text, 8);
}

/** Facilities that Cyrus has names for. */
const facilities: Readonly<Record<string, number>> = { USER: 1, MAIL: 2, DAEMON: 3, NEWS: 7 };

function readLog(config: Config): LogSettings {
  const place = config.isSet("smmap_log_format") ? config.choice("smmap_log_format") : null;
  return {
    place: place as "syslog" | "text" | "json" | null,
    facility: readFacility(config),
    prefix: config.string("syslog_prefix"),
    isDebug: config.switch("debug"),
  };
}

function readFacility(config: Config): number {
  const name = (config.string("syslog_facility") ?? "").toUpperCase();
  const facility = facilities[name] ?? (/^LOCAL[0-7]$/.test(name) ? 16 + Number(name.slice(-1)) : undefined);
  if (facility !== undefined) return facility;
  throw config.error("syslog_facility", "must be DAEMON, MAIL, NEWS, USER or LOCAL0 to LOCAL7");
}

/** Characters; a line of SMTP has 512 octets and also contains a long address. */
const TEXT_MAX = 200;

function accessText(config: Config, key: string): string {
  const text = config.string(key) ?? "";
  if (!/^[\x20-\x7e]*$/.test(text)) throw config.error(key, "must be printable US-ASCII, as replies of SMTP are");
  if (text.length > TEXT_MAX) throw config.error(key, `must have at most ${TEXT_MAX} characters`);
  return text;
}

function readListen(config: Config, key: string): readonly ListenAddress[] {
  const addresses = words(config, key).map((word) => config.expand(word));
  const repeated = addresses.find((word, i) => addresses.indexOf(word) !== i);
  if (repeated !== undefined) throw config.error(key, `${repeated} is listed twice`);
  return addresses.map((word) => {
    const address = parseListenAddress(word);
    if (typeof address === "string") throw config.error(key, `${word}: ${address}`);
    return address;
  });
}

/** Splits a value at white space. */
function words(config: Config, key: string): readonly string[] {
  return (config.string(key) ?? "").split(/\s+/).filter((word) => word !== "");
}

/** Longest name of a UNIX socket in octets (sockaddr_un of Linux, without its NUL). */
const SOCKET_PATH_MAX = 107;
/** Octets that are appended to the path of a control socket: a dot, and the number of a process. */
const PROCESS_MAX = 8;

/** Settings.controlSocket alone, for commands that ignore errors of other options. @throws ConfigError */
export function readControlSocket(config: Config): string | null {
  const key = "smmap_control_socket";
  const path = config.string(key) ?? "";
  if (path === "disabled") return null;
  if (!path.startsWith("/") || path.endsWith("/")) throw config.error(key, "must be a path from the root, or disabled");
  const max = SOCKET_PATH_MAX - PROCESS_MAX;
  if (Buffer.byteLength(path) > max) throw config.error(key, `must have at most ${max} octets`);
  return path;
}

/** Parses "/path", "port", "host:port" or "[v6]:port", as in cyrus.conf. @returns the address, or a description of the error */
export function parseListenAddress(word: string): ListenAddress | string {
  if (word.startsWith("/")) {
    const isTooLong = Buffer.byteLength(word) > SOCKET_PATH_MAX;
    return isTooLong ? `the path of a socket has at most ${SOCKET_PATH_MAX} octets` : { path: word };
  }
  const [, host, digits = ""] = /^(?:(.*):)?([^:\]]*)$/.exec(word) ?? [];
  if (digits === "") return "the port is missing";
  if (!/^[0-9]+$/.test(digits)) return `${digits} is no port number, and a path begins with a slash`;
  const port = Number(digits);
  if (port > 65535) return "a port is at most 65535";
  // A port alone is on the loopback only; in cyrus.conf it would be on all addresses.
  if (host === undefined) return { host: "127.0.0.1", port };
  const v6 = /^\[(.*)\]$/.exec(host)?.[1];
  if (v6 !== undefined) return isIPv6(v6) ? { host: v6, port } : `[${v6}] is no IPv6 address`;
  if (host.includes(":")) return "an IPv6 address goes in brackets, as in [::1]:25";
  return /^[A-Za-z0-9._-]+$/.test(host) ? { host, port } : "the host is missing or malformed";
}
