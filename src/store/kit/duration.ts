/** Durations of imapd.conf for timers of Node.js. */
import type { ConfigReader } from "../store.ts";

/** Maximum delay of a timer of Node.js, milliseconds; with a longer one it fires immediately. */
export const TIMER_MAX = 2 ** 31 - 1;

/** The value of a duration key in milliseconds. @throws ConfigError if it is not positive or exceeds TIMER_MAX */
export function milliseconds(config: ConfigReader, key: string): number {
  const value = config.duration(key) * 1000;
  if (value <= 0) throw config.error(key, "must be greater than 0");
  if (value > TIMER_MAX) throw config.error(key, "must be less than 25 days");
  return value;
}
