/**
 * The contract between the daemon and what knows the mailboxes; published as "smmapd/store".
 *
 * A store reports facts and decides nothing. "There is no such mailbox" is a fact ({ exists: false }) that makes a mail
 * server bounce for good, so it takes a positive statement of the backend. Whatever else happens is an error, and every
 * error is a temporary failure: a store never turns the second into the first.
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

/** What surrounds one look-up. */
export interface LookupOptions {
  /** Fires at the deadline, when the client is gone, at shutdown. Made when first read, so read it only if you wait. */
  readonly signal: AbortSignal;
}

/** What a store can tell; stated once, true for its whole life. */
export interface StoreCapabilities {
  /** false: the store keeps no folders of users, and answers for the INBOX in their place. */
  readonly folders: boolean;
  /** false: the store keeps no shared folders; each of them is absent. */
  readonly shared: boolean;
  /** true: answers come at once, out of this machine's memory or files, so nothing is gained by remembering them. */
  readonly isLocal?: boolean;
  /** Look-ups that get on at the same time; more of them wait within the store. Left out: the daemon cannot know. */
  readonly concurrency?: number;
  /** Quota resources whose limit and usage the store knows. [] never says over quota. */
  readonly quota: readonly QuotaUsage["resource"][];
}

/**
 * An open store. Safe for concurrent calls; connects on first use and reconnects by itself. The daemon puts a guard
 * around it (deadline, normalised errors, close once), so an adapter stays naive.
 */
export interface MailboxStore {
  /** Name for logs, such as "sqlite". */
  readonly name: string;
  readonly capabilities: StoreCapabilities;
  /** Facts, absence included: at once where the store can. Throws or rejects, best with StoreError, when it cannot tell. */
  lookup(mailbox: MailboxId, options: LookupOptions): MailboxFacts | Promise<MailboxFacts>;
  /**
   * Paths of folders that lie where this one does, below the same INBOX or the shared root: at least all those that
   * differ from it in nothing but upper and lower case, and any others. For smmap_detail_ignore_case; left out where the
   * backend cannot tell. Throws or rejects like lookup.
   */
  similarFolders?(mailbox: MailboxId, options: LookupOptions): FolderPaths | Promise<FolderPaths>;
  /**
   * For a store that can tell when its data changes: a number that stays the same as long as every answer does, so that
   * none need be asked for twice; null where it cannot tell at the moment. Called for each request, so it must cost next to
   * nothing. Throws like lookup.
   */
  dataVersion?(): number | null;
  /** Resolves when the backend answers now; rejects like lookup. */
  ping(options: LookupOptions): Promise<void>;
  /** Ends running look-ups with "closed" and gives back every resource. Idempotent. */
  close(): Promise<void>;
}

export const storeErrorCodes = ["unavailable", "timeout", "denied", "invalid-data", "internal", "closed"] as const;
export type StoreErrorCode = (typeof storeErrorCodes)[number];

/**
 * The store cannot tell. There is no "temporary" flag: whatever a store throws is a temporary failure.
 *
 * - unavailable: the backend is down, refuses or cannot be read
 * - timeout: it did not answer in time
 * - denied: it refuses our login or our question
 * - invalid-data: it answered something that we do not understand, or that is ambiguous
 * - internal: a mistake of our own
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

/** A mistake in imapd.conf: the daemon does not start with it (exit status 78, EX_CONFIG). */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
}

/** Type of an option's value, as in Cyrus' lib/imapoptions. */
export type KeyType = "string" | "path" | "integer" | "switch" | "choice" | "duration" | "bytes";

/** One option of imapd.conf that we read. */
export interface KeyDefinition {
  /** Lower case, without a service prefix. */
  readonly name: string;
  readonly type: KeyType;
  /** As it would be written in imapd.conf; null: unset. */
  readonly default: string | null;
  /** The words that a choice takes. */
  readonly values?: readonly string[];
  /** true: the value is masked wherever it would be shown. */
  readonly secret?: boolean;
  /** One paragraph for the manual page. */
  readonly text: string;
}

/** imapd.conf as an adapter sees it: one typed value per key, the service prefix already taken into account. */
export interface ConfigReader {
  /** Value of a "string" key; null where it is unset and has no default. */
  string(key: string): string | null;
  /** Value of a "path" key, with {configdirectory} expanded and a relative path put below configdirectory. */
  path(key: string): string | null;
  integer(key: string): number;
  switch(key: string): boolean;
  /** One of the words that the key's definition lists. */
  choice(key: string): string;
  /** Seconds. */
  duration(key: string): number;
  /** Octets. */
  bytes(key: string): number;
  /** Name of the service in cyrus.conf, which prefixes options of this service alone: "smmap". */
  readonly service: string;
  /** Whether the file sets the key, in any form. */
  isSet(key: string): boolean;
  /** Whether the file sets the key for this service alone, by a name with its prefix. */
  isSetForService(key: string): boolean;
  /**
   * Other defaults than those of the definitions, as they would be written in imapd.conf.
   * @param origin whose they are, for `smmapd conf`: "preset kolab"
   */
  setDefaults(defaults: Readonly<Record<string, string>>, origin: string): void;
  /** An error that names the key, its value (unless secret), file and line; to be thrown. */
  error(key: string, problem: string): ConfigError;
  /** A warning with the same particulars; shown by `smmapd conf` and logged at start. */
  warn(key: string, problem: string): void;
}

/** Syslog's levels that we use, most urgent first. */
export type LogLevel = "error" | "warning" | "notice" | "info" | "debug";

/** Where log lines go. Text from outside is made harmless by the log, not by the caller. */
export type Log = Readonly<Record<LogLevel, (message: string) => void>>;

/** What the daemon lends to an open store. */
export interface StoreContext {
  readonly log: Log;
  /** Milliseconds for a whole look-up (smmap_query_timeout), after which no caller waits for the answer. */
  readonly lookupTimeout: number;
}

/** Why a configuration describes a store. */
export interface Detection {
  /** For the log, such as "smmap_imap_server is set". */
  readonly reason: string;
  /** true: only where the configuration describes no other store. */
  readonly isFallback?: boolean;
}

/** What is known of a store without loading its client library. */
export interface StoreManifest {
  /** Value of smmap_store. */
  readonly name: string;
  /** Options of imapd.conf that only this store reads. */
  readonly keys?: readonly KeyDefinition[];
  /** Whether a configuration with `smmap_store: auto` describes this store; null: it does not. Built-in stores alone are asked. */
  detect?(config: ConfigReader): Detection | null;
}

/** A module that makes stores; what `smmap_store: NAME-OR-MODULE` loads, exported as `adapter`. */
export interface StoreAdapter<Options = unknown> extends StoreManifest {
  /** Reads and judges the configuration without any I/O. Throws ConfigError. */
  parse(config: ConfigReader): Options;
  /** Makes the store at once. Never waits for the backend and does not fail because it is down. */
  open(options: Options, context: StoreContext): MailboxStore;
}
