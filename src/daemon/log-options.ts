import type { LogSettings } from "../config/settings.ts";
import type { LogOptions } from "../log/log.ts";

/** LOG_MAIL. */
const MAIL = 2;

/**
 * How the daemon logs (Cyrus lib/libconfig.c, imap/cyrus_init.c).
 * @param settings null: the configuration is not read yet
 * @param isService whether master(8) has started the process; its standard error is not read
 */
export function logOptions(
  settings: LogSettings | null,
  env: Readonly<Record<string, string | undefined>>,
  isService: boolean,
): LogOptions {
  const service = env.CYRUS_SERVICE || "smmap";
  const prefix = env.CYRUS_SYSLOG_PREFIX || settings?.prefix;
  return {
    place: settings?.place ?? (isService ? "syslog" : null),
    ident: prefix ? `${prefix}/${service}` : service,
    facility: settings?.facility ?? MAIL,
    lowest: settings?.isDebug ? "debug" : "info",
  };
}
