/** A configuration, and the service that is built from it: its store, opened and wrapped, and the request handlers. */
import { dirname } from "node:path";
import { loadConfig } from "../config/config.ts";
import type { ImapdConf } from "../config/imapd-conf.ts";
import { type ProcessSettings, readProcess } from "../config/process-settings.ts";
import { readSettings, type Settings } from "../config/settings.ts";
import { RecipientParser } from "../engine/recipient.ts";
import type { Tally } from "../metrics/tally.ts";
import { AuditLog } from "../requests/audit-log.ts";
import { PolicyHandler } from "../requests/policy-handler.ts";
import { RecipientJudge } from "../requests/recipient-judge.ts";
import { SocketmapHandler } from "../requests/socketmap-handler.ts";
import { loadAdapter } from "../store/registry.ts";
import { buildLeaf, buildStack, type LeafSettings, type StoreStack } from "../store/stack.ts";
import type { Log, MailboxStore, StoreContext } from "../store/store.ts";

export interface ConfigurationSource {
  /** Path of imapd.conf. */
  readonly configFile: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The options as another process has read them; left out: the file is read. */
  readonly conf?: ImapdConf;
}

/** imapd.conf, parsed into settings, the options of the adapter included. */
export interface Configuration {
  /** The options as read. */
  readonly conf: ImapdConf;
  readonly settings: Settings;
  readonly process: ProcessSettings;
  /** Doubtful options, for the log. */
  readonly warnings: readonly string[];
  /** Opens the store. Does not wait for its backend. */
  openStore(context: StoreContext): MailboxStore;
}

/** Reads and checks the configuration without opening anything. @throws ConfigError */
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
  /** Option -p: ignore the detail of addresses, whatever smmap_skip_plus says. */
  readonly skipPlus: boolean;
  /** Left out: nothing is counted. */
  readonly tally?: Tally;
  readonly log: Log;
}

export interface Service {
  readonly settings: Settings;
  readonly stack: StoreStack;
  readonly recipients: RecipientParser;
  readonly socketmap: SocketmapHandler;
  readonly policy: PolicyHandler;
}

/** `readConfiguration` and `startService`. @throws ConfigError */
export async function openService(options: ConfigurationSource & ServiceOptions): Promise<Service> {
  return startService(await readConfiguration(options), options);
}

/** Logs the warnings, opens the store and builds the request handlers. */
export async function startService(configuration: Configuration, options: ServiceOptions): Promise<Service> {
  const { settings, warnings, openStore } = configuration;
  const { log, tally } = options;
  for (const warning of warnings) log.warning(warning);
  const opened = openStore({ log, lookupTimeout: settings.queryTimeout });
  const leaf = await buildLeaf(opened, leafSettings(settings), { log, events: tally?.store(opened.name) });
  const stack = buildStack([leaf], leaf.store);
  const { policy, countsSize, value, accessMaps: names, accessTexts: texts, isAudited } = settings;
  const { isDebug } = settings.log;
  const rules = options.skipPlus ? { ...settings.rules, skipPlus: true } : settings.rules;
  const recipients = new RecipientParser(rules);
  const audit = isAudited || isDebug ? new AuditLog({ isAudited, isDebug, recipients, policy, log }) : null;
  const judge = new RecipientJudge({ recipients, store: stack.store, policy, log });
  const accessMaps = names.size > 0 ? { names, texts } : null;
  const hasDataVersion = leaf.cache === null && opened.dataVersion !== undefined;
  const acceptCache = hasDataVersion ? { size: settings.acceptCacheSize, store: stack.store } : null;
  const socketmap = new SocketmapHandler({ judge, policy, value, accessMaps, audit, acceptCache, tally });
  const policyHandler = new PolicyHandler({ judge, texts, policy, countsSize, audit, tally, log });
  return { settings, stack, recipients, socketmap, policy: policyHandler };
}

function leafSettings(settings: Settings): LeafSettings {
  const { queryTimeout: timeout, breakerFailures: failures, breakerReset: reset, cache, detailFallback } = settings;
  return { timeout, breaker: { failures, reset }, cache, detailFallback };
}
