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

/** The longest delay of a timer of Node.js in milliseconds; a longer one fires at once. */
const TIMER_MAX = 2 ** 31 - 1;

/** A duration in milliseconds that is valid for a timer. */
export function milliseconds(config: Config, key: string): number {
  const value = positive(config, key, config.duration(key)) * 1000;
  if (value > TIMER_MAX) throw config.error(key, "must be less than 25 days");
  return value;
}
