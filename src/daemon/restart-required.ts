/** Options that a reload cannot apply: the sockets, and the user that the process runs as. */
import { isDeepStrictEqual } from "node:util";
import type { Configuration } from "./service.ts";

/**
 * A warning for each option that differs from the one that the process was started with.
 * @param isStartedByRoot whether root has started the process, so that it became another user
 */
export function restartWarnings(
  startedWith: Configuration,
  now: Configuration,
  isStartedByRoot: boolean,
): readonly string[] {
  const next = new Map(socketOptions(now));
  const warnings = socketOptions(startedWith)
    .filter(([key, value]) => !isDeepStrictEqual(value, next.get(key)))
    .map(([key]) => `${key} has changed: restart smmapd to apply it; the sockets are kept`);
  const { user, group } = startedWith.process;
  const { user: nextUser, group: nextGroup } = now.process;
  if (!isStartedByRoot || (user === nextUser && group === nextGroup)) return warnings;
  const keys = "smmap_user, cyrus_user or cyrus_group";
  return [...warnings, `${keys} has changed: restart smmapd to apply it; the process still runs as ${user}`];
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
