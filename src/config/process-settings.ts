/** Settings of the process: its user, its shutdown, the number of workers. */
import { availableParallelism } from "node:os";
import type { Config } from "./config.ts";

export interface ProcessSettings {
  /** Owner and group of UNIX sockets, each a name or a number; null: unchanged. */
  readonly socketOwner: string | null;
  readonly socketGroup: string | null;
  /** The user that a process started by root changes to. */
  readonly user: string;
  /** The group; null: the user's own. */
  readonly group: string | null;
  /** The option or environment variable that names the user, for messages. */
  readonly userOrigin: string;
  /** Milliseconds. */
  readonly drainTimeout: number;
  /** At least 1. */
  readonly workers: number;
  /** Contains %s, %d and %s. */
  readonly debugCommand: string | null;
}

/** @throws ConfigError */
export function readProcess(config: Config, env: Readonly<Record<string, string | undefined>>): ProcessSettings {
  return {
    socketOwner: config.string("smmap_socket_owner"),
    socketGroup: config.string("smmap_socket_group"),
    ...readIdentity(config, env),
    drainTimeout: readDrainTimeout(config),
    workers: readWorkers(config),
    debugCommand: config.string("debug_command"),
  };
}

export type Identity = Pick<ProcessSettings, "user" | "group" | "userOrigin">;

/** The user and group that a process started by root changes to. */
export function readIdentity(config: Config, env: Readonly<Record<string, string | undefined>>): Identity {
  const own = config.string("smmap_user");
  if (own !== null) return { user: own, group: null, userOrigin: "smmap_user" };
  const group = env.CYRUS_GROUP ?? config.string("cyrus_group");
  if (env.CYRUS_USER !== undefined) return { user: env.CYRUS_USER, group, userOrigin: "CYRUS_USER" };
  return { user: config.string("cyrus_user") ?? "", group, userOrigin: "cyrus_user" };
}

/** Seconds. */
const DRAIN_MAX = 3600;

function readDrainTimeout(config: Config): number {
  const seconds = config.duration("smmap_drain_timeout");
  if (seconds < 0 || seconds > DRAIN_MAX) throw config.error("smmap_drain_timeout", "must be from 0 to 1h");
  return seconds * 1000;
}

/** More processes than that only add overhead. */
const WORKERS_MAX = 64;

function readWorkers(config: Config): number {
  const text = config.string("smmap_workers") ?? "";
  const count = text === "auto" ? Math.min(availableParallelism(), WORKERS_MAX) : /^\d+$/.test(text) ? Number(text) : 0;
  if (count < 1 || count > WORKERS_MAX) {
    throw config.error("smmap_workers", `must be auto, or a number from 1 to ${WORKERS_MAX}`);
  }
  return count;
}
