/** Checks of the range of a number in imapd.conf. Each throws ConfigError. */
import type { Config } from "./config.ts";

export function positive(config: Config, key: string, value: number): number {
  if (value <= 0) throw config.error(key, "must be greater than 0");
  return value;
}

export function notNegative(config: Config, key: string, value: number): number {
  if (value < 0) throw config.error(key, "must not be negative");
  return value;
}
