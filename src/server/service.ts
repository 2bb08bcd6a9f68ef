/** A configuration made into something that answers: the store it names, opened and guarded, and the rules around it. */
import { dirname } from "node:path";
import { loadConfig } from "../config/config.ts";
import { readSettings, type Settings } from "../config/settings.ts";
import { RecipientParser } from "../engine/recipient.ts";
import { GuardedStore } from "../store/guarded.ts";
import { loadAdapter } from "../store/registry.ts";
import type { Log } from "../store/store.ts";
import { Responder } from "./responder.ts";

export interface ServiceOptions {
  /** Path of imapd.conf. */
  readonly configFile: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Option -p: the detail counts for nothing, whatever smmap_skip_plus says. */
  readonly skipPlus: boolean;
  readonly log: Log;
}

export interface Service {
  readonly settings: Settings;
  readonly store: GuardedStore;
  readonly recipients: RecipientParser;
  readonly responder: Responder;
}

/** Reads the configuration and opens the store, which does not wait for its backend. @throws ConfigError */
export async function openService(options: ServiceOptions): Promise<Service> {
  const { configFile, env, log } = options;
  const config = loadConfig({ file: configFile, env });
  const settings = readSettings(config);
  const adapter = await loadAdapter(settings.store.name, dirname(configFile));
  config.register(adapter.keys ?? []);
  const storeOptions = adapter.parse(config);
  for (const warning of config.warnings()) log.warning(warning);
  const opened = adapter.open(storeOptions, { log });
  const store = new GuardedStore(opened, {
    timeout: settings.queryTimeout,
    breaker: { failures: settings.breakerFailures, reset: settings.breakerReset },
    log,
  });
  const rules = options.skipPlus ? { ...settings.rules, skipPlus: true } : settings.rules;
  const recipients = new RecipientParser(rules);
  const responder = new Responder({ recipients, store, policy: settings.policy, log });
  return { settings, store, recipients, responder };
}
