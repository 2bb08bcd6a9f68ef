/** A configuration made into something that answers: the store it names, opened and guarded, and the rules around it. */
import { dirname } from "node:path";
import { loadConfig } from "../config/config.ts";
import type { ImapdConf } from "../config/imapd-conf.ts";
import { type ProcessSettings, readProcess } from "../config/process-settings.ts";
import { readSettings, type Settings } from "../config/settings.ts";
import { RecipientParser } from "../engine/recipient.ts";
import { Tally } from "../observe/tally.ts";
import type { CachedStore } from "../store/cached.ts";
import type { FactSource } from "../store/fact-source.ts";
import { GuardedStore } from "../store/guarded.ts";
import { type Leniency, LenientStore } from "../store/lenient.ts";
import { loadAdapter } from "../store/registry.ts";
import type { Log, MailboxStore, StoreContext } from "../store/store.ts";
import { Audit } from "./audit.ts";
import { PolicyResponder } from "./policy-responder.ts";
import { RecipientCheck } from "./recipient-check.ts";
import { Responder } from "./responder.ts";

export interface ConfigurationSource {
  /** Path of imapd.conf. */
  readonly configFile: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** What another process has read of it. */
  readonly conf?: ImapdConf;
}

/** imapd.conf, understood by us and by the adapter of the store. */
export interface Configuration {
  /** What was read. */
  readonly conf: ImapdConf;
  readonly settings: Settings;
  readonly process: ProcessSettings;
  /** What a person should know about the file. */
  readonly warnings: readonly string[];
  /** Does not wait for the backend. */
  openStore(context: StoreContext): MailboxStore;
}

/** Opens nothing. @throws ConfigError */
export async function readConfiguration({ configFile, ...source }: ConfigurationSource): Promise<Configuration> {
  const { env } = source;
  const config = loadConfig({ file: configFile, ...source });
  const settings = readSettings(config);
  const process = readProcess(config, env);
  const adapter = await loadAdapter(settings.store.name, dirname(configFile), (problem) =>
    config.error("smmap_store", problem),
  );
  config.register(adapter.keys ?? []);
  const options = adapter.parse(config);
  const openStore = (context: StoreContext) => adapter.open(options, context);
  return { conf: config.conf, settings, process, warnings: config.warnings(), openStore };
}

export interface ServiceOptions {
  /** Option -p: the detail counts for nothing, whatever smmap_skip_plus says. */
  readonly skipPlus: boolean;
  /** Where its work is counted. Left out: nobody wants to know. */
  readonly tally?: Tally;
  readonly log: Log;
}

export interface Service {
  readonly settings: Settings;
  /** What is asked: the cache, or the guard where there is none. */
  readonly store: FactSource;
  readonly guarded: GuardedStore;
  readonly cache: CachedStore | null;
  readonly recipients: RecipientParser;
  readonly responder: Responder;
  readonly policyResponder: PolicyResponder;
}

/** Both steps in one. @throws ConfigError */
export async function openService(options: ConfigurationSource & ServiceOptions): Promise<Service> {
  return startService(await readConfiguration(options), options);
}

/** Tells the log of the warnings, and opens the store. */
export async function startService(
  { settings, warnings, openStore }: Configuration,
  options: ServiceOptions,
): Promise<Service> {
  const { log, tally = new Tally() } = options;
  for (const warning of warnings) log.warning(warning);
  const { policy, countsSize, value, accessMaps: names, accessTexts: texts, isAudited } = settings;
  const { isDebug } = settings.log;
  const opened = lenient(openStore({ log }), settings.leniency, log);
  const guarded = new GuardedStore(opened, {
    timeout: settings.queryTimeout,
    breaker: { failures: settings.breakerFailures, reset: settings.breakerReset },
    log,
    events: tally,
  });
  const isCached = settings.cache.size > 0 && opened.capabilities.isInstant !== true;
  // Its library is loaded only where there is something to remember.
  const cache = isCached
    ? new (await import("../store/cached.ts")).CachedStore(guarded, settings.cache, {
        timeout: settings.queryTimeout,
        concurrency: opened.capabilities.concurrency,
        log,
      })
    : null;
  const store = cache ?? guarded;
  const rules = options.skipPlus ? { ...settings.rules, skipPlus: true } : settings.rules;
  const recipients = new RecipientParser(rules);
  const audit = isAudited || isDebug ? new Audit({ isAudited, isDebug, recipients, policy, log }) : null;
  const check = new RecipientCheck({ recipients, store, policy, log });
  const accessMaps = names.size > 0 ? { names, check, texts } : null;
  const memorySize = cache === null && opened.edition !== undefined ? settings.verdictsKept : 0;
  const responder = new Responder({ recipients, store, policy, value, accessMaps, audit, memorySize, tally, log });
  const policyResponder = new PolicyResponder({ check, texts, policy, countsSize, audit, tally, log });
  return { settings, store, guarded, cache, recipients, responder, policyResponder };
}

function lenient(store: MailboxStore, leniency: Leniency, log: Log): MailboxStore {
  if (leniency.ignoresCase && store.similarFolders === undefined) {
    log.warning(`smmap_detail_ignore_case counts for nothing: the store ${store.name} cannot look without case`);
  }
  return leniency.ignoresCase || leniency.fallsBack ? new LenientStore(store, leniency) : store;
}
