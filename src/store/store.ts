/**
 * The contract between the daemon and a mailbox store; published as "smmapd/store".
 *
 * A store reports facts and makes no decisions. An absence ({ exists: false }) makes a mail server bounce permanently,
 * so it requires an explicit statement of the backend. Every other problem is an error, and every error is a temporary
 * failure. A store never reports an error as an absence.
 */

import type { FolderPaths, MailboxFacts, MailboxId, QuotaUsage } from "../engine/mailbox.ts";

export type {
  FolderPaths,
  MailboxAbsent,
  MailboxFacts,
  MailboxId,
  MailboxPresent,
  QuotaUsage,
  SharedMailbox,
  UserMailbox,
} from "../engine/mailbox.ts";
export { decodeModifiedUtf7, encodeModifiedUtf7, internalName } from "../engine/mailbox-name.ts";

/** Options of one look-up. */
export interface LookupOptions {
  /**
   * Fires at the deadline, on disconnection of the client and at shutdown. Created when first read; read it only to
   * wait.
   */
  readonly signal: AbortSignal;
}

/** Capabilities of a store; constant while it is open. */
export interface StoreCapabilities {
  /** false: the store has no users' folders and reports the facts of the INBOX instead. */
  readonly folders: boolean;
  /** false: the store has no shared folders; each of them is absent. */
  readonly shared: boolean;
  /** true: answers come from local memory or files without delay, so caching has no benefit. */
  readonly isLocal?: boolean;
  /** Maximum number of concurrent look-ups; further ones queue in the store. Omitted: unknown. */
  readonly concurrency?: number;
  /** Quota resources whose limit and usage the store knows. [] never says over quota. */
  readonly quota: readonly QuotaUsage["resource"][];
}

/**
 * An open store. Safe for concurrent calls; connects on first use and reconnects by itself. The daemon wraps it in
 * GuardedStore (deadline, error conversion, a single close), so an adapter needs no timers, error conversion or
 * close-once logic.
 */
export interface MailboxStore {
  /** Name for logs, such as "sqlite". */
  readonly name: string;
  readonly capabilities: StoreCapabilities;
  /**
   * Facts, including an absence; synchronous if possible. Throws or rejects, preferably with StoreError, on any
   * failure.
   */
  lookup(mailbox: MailboxId, options: LookupOptions): MailboxFacts | Promise<MailboxFacts>;
  /**
   * Paths of folders below the same INBOX or the shared root: at least all that differ from this one only in case;
   * others are ignored. Used for smmap_detail_ignore_case; omitted if the backend cannot list folders. Throws or
   * rejects like lookup.
   */
  similarFolders?(mailbox: MailboxId, options: LookupOptions): FolderPaths | Promise<FolderPaths>;
  /**
   * Version of the data, for a store that detects changes: a number that is constant as long as every answer is, so
   * that answers can be cached; null: unknown at the moment. Called for each request, so it must be very cheap. Throws
   * like lookup.
   */
  dataVersion?(): number | null;
  /** Resolves if the backend responds; rejects like lookup. */
  ping(options: LookupOptions): Promise<void>;
  /** Rejects pending look-ups with "closed" and releases all resources. Idempotent. */
  close(): Promise<void>;
}

export const storeErrorCodes = ["unavailable", "timeout", "denied", "invalid-data", "internal", "closed"] as const;
export type StoreErrorCode = (typeof storeErrorCodes)[number];

/**
 * A look-up failed. There is no "temporary" flag: every error of a store is a temporary failure.
 *
 * - unavailable: the backend is down, rejects connections or cannot be read
 * - timeout: the backend did not answer in time
 * - denied: the backend refuses the login or the request
 * - invalid-data: the backend's answer is invalid or ambiguous
 * - internal: an internal error (bug) in the store
 * - closed: the store was closed
 */
export class StoreError extends Error {
  override readonly name = "StoreError";
  readonly code: StoreErrorCode;

  constructor(code: StoreErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** An error in imapd.conf: the daemon does not start (exit status 78, EX_CONFIG). */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
}

/** Type of an option's value, as in Cyrus' lib/imapoptions. */
export type KeyType = "string" | "path" | "integer" | "switch" | "choice" | "duration" | "bytes";

/** An option of imapd.conf. */
export interface KeyDefinition {
  /** Lower case, without a service prefix. */
  readonly name: string;
  readonly type: KeyType;
  /** As written in imapd.conf; null: unset. */
  readonly default: string | null;
  /** The values of a choice. */
  readonly values?: readonly string[];
  /** true: the value is masked in all output. */
  readonly secret?: boolean;
  /** One paragraph for the manual page. */
  readonly text: string;
}

/** Typed access to imapd.conf for adapters; options with the service prefix take precedence. */
export interface ConfigReader {
  /** Value of a "string" key; null if it is unset and has no default. */
  string(key: string): string | null;
  /** Value of a "path" key, with {configdirectory} expanded; a relative path is relative to configdirectory. */
  path(key: string): string | null;
  integer(key: string): number;
  switch(key: string): boolean;
  /** One of the values in the key's definition. */
  choice(key: string): string;
  /** Seconds. */
  duration(key: string): number;
  /** Octets. */
  bytes(key: string): number;
  /** Name of the service in cyrus.conf, the prefix of options for this service only: "smmap". */
  readonly service: string;
  /** Whether the file sets the key, in any form. */
  isSet(key: string): boolean;
  /** Whether the file sets the key with the service prefix. */
  isSetForService(key: string): boolean;
  /**
   * Overrides defaults of the definitions; values are as written in imapd.conf.
   * @param origin source of the defaults, for `smmapd conf`: "preset kolab"
   */
  setDefaults(defaults: Readonly<Record<string, string>>, origin: string): void;
  /** Creates an error that names the key, its value (unless secret), file and line; the caller throws it. */
  error(key: string, problem: string): ConfigError;
  /** Adds a warning with the same details; shown by `smmapd conf` and logged at start. */
  warn(key: string, problem: string): void;
}

/** The syslog levels in use, most urgent first. */
export type LogLevel = "error" | "warning" | "notice" | "info" | "debug";

/** The log. It escapes untrusted text; callers need not. */
export type Log = Readonly<Record<LogLevel, (message: string) => void>>;

/** Services of the daemon for an open store. */
export interface StoreContext {
  readonly log: Log;
  /** Deadline of a whole look-up (smmap_query_timeout), milliseconds; later answers are discarded. */
  readonly lookupTimeout: number;
}

/** The reason why a configuration describes a store. */
export interface Detection {
  /** For the log, such as "smmap_imap_server is set". */
  readonly reason: string;
  /** true: valid only if the configuration describes no other store. */
  readonly isFallback?: boolean;
}

/** The part of a store that does not load its client library. */
export interface StoreManifest {
  /** Value of smmap_store. */
  readonly name: string;
  /** Options of imapd.conf that only this store reads. */
  readonly keys?: readonly KeyDefinition[];
  /** Detects the store with `smmap_store: auto`; null: the configuration does not describe it. Built-in stores only. */
  detect?(config: ConfigReader): Detection | null;
}

/** A module that opens stores, loaded by `smmap_store: NAME-OR-MODULE`; exported as `adapter`. */
export interface StoreAdapter<Options = unknown> extends StoreManifest {
  /** Reads and validates the configuration without any I/O. Throws ConfigError. */
  parse(config: ConfigReader): Options;
  /** Opens the store without waiting for the backend; must not fail if the backend is down. */
  open(options: Options, context: StoreContext): MailboxStore;
}
