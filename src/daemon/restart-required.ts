/** What a new configuration says in vain while the process lives: where it listens, and who it is. */
import { isDeepStrictEqual } from "node:util";
import type { Configuration } from "./service.ts";

/**
 * A warning for each option that differs from the one that the process began with.
 * @param isRoots root has started the process, so that it became somebody
 */
export function restartWarnings(begun: Configuration, now: Configuration, isRoots: boolean): readonly string[] {
  const next = new Map(socketOptions(now));
  const warnings = socketOptions(begun)
    .filter(([key, value]) => !isDeepStrictEqual(value, next.get(key)))
    .map(([key]) => `${key} has changed: that takes a restart, the old sockets stay`);
  const { user, group } = begun.process;
  const { user: nextUser, group: nextGroup } = now.process;
  if (!isRoots || (user === nextUser && group === nextGroup)) return warnings;
  const keys = "smmap_user, cyrus_user or cyrus_group";
  return [...warnings, `${keys} has changed: that takes a restart, the process stays the user ${user}`];
}

function socketOptions({ settings, process: own }: Configuration): readonly (readonly [key: string, value: unknown])[] {
  return [
    ["smmap_listen", settings.listen],
    ["smmap_policy_listen", settings.policyListen],
    ["smmap_metrics_listen", settings.metricsListen],
    ["smmap_control_socket", settings.controlSocket],
    ["smmap_socket_mode", settings.socketMode],
    ["smmap_socket_owner", own.socketOwner],
    ["smmap_socket_group", own.socketGroup],
  ];
}
