/** What a new configuration says in vain while the process lives: where it listens, and who it is. */
import { isDeepStrictEqual } from "node:util";
import type { Configuration } from "./service.ts";

/**
 * A warning for each option that differs from the one that the process began with.
 * @param isRoots root has started the process, so that it became somebody
 */
export function restartWarnings(begun: Configuration, now: Configuration, isRoots: boolean): readonly string[] {
  const sockets = [
    ["smmap_listen", (one: Configuration) => one.settings.listen],
    ["smmap_policy_listen", (one: Configuration) => one.settings.policyListen],
    ["smmap_metrics_listen", (one: Configuration) => one.settings.metricsListen],
    ["smmap_control_socket", (one: Configuration) => one.settings.controlSocket],
    ["smmap_socket_mode", (one: Configuration) => one.settings.socketMode],
    ["smmap_socket_owner", (one: Configuration) => one.process.socketOwner],
    ["smmap_socket_group", (one: Configuration) => one.process.socketGroup],
  ] as const;
  const warnings = sockets
    .filter(([, read]) => !isDeepStrictEqual(read(begun), read(now)))
    .map(([key]) => `${key} has changed: that takes a restart, the old sockets stay`);
  const { user, group } = begun.process;
  const isSomebodyElse = user !== now.process.user || group !== now.process.group;
  if (!isRoots || !isSomebodyElse) return warnings;
  const keys = "smmap_user, cyrus_user or cyrus_group";
  return [...warnings, `${keys} has changed: that takes a restart, the process stays the user ${user}`];
}
