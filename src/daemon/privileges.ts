/** From root to somebody without its rights, with no way back. */
import type { ProcessSettings } from "../config/process-settings.ts";
import type { PrivilegedProcess } from "../io.ts";
import { ConfigError } from "../store/store.ts";
import { findGroup, findUser, type User } from "./accounts.ts";

/** Whom to become. */
export interface Identity {
  readonly user: User;
  readonly gid: number;
}

/**
 * Whom root has to become. null: nobody else, for it is not root who asks, or the configuration wants it so.
 * @throws ConfigError where there is no such user
 */
export function chooseIdentity(
  { user: name, group, userOrigin }: Pick<ProcessSettings, "user" | "group" | "userOrigin">,
  host: PrivilegedProcess,
): Identity | null {
  if (host.getuid?.() !== 0) return null;
  const user = findUser(name);
  if (user === null) {
    throw new ConfigError(
      `${userOrigin}: root has started smmapd, which becomes the user ${name}, and there is none; ` +
        "name another one in smmap_user (root, if it has to be)",
    );
  }
  if (user.uid === 0) {
    if (userOrigin === "smmap_user") return null;
    throw new ConfigError(`${userOrigin}: ${name} is root; if that is really meant, say so in smmap_user`);
  }
  const gid = group === null ? user.gid : findGroup(group);
  if (gid === null) throw new ConfigError(`cyrus_group: there is no group ${group}`);
  return { user, gid };
}

/** Gives root's rights up, its groups included. @throws Error where they could be had back afterwards */
export function dropPrivileges({ user, gid }: Identity, host: PrivilegedProcess): void {
  // Groups first: who is not root any more has no right to change them.
  host.initgroups?.(user.name, gid);
  host.setgid?.(gid);
  host.setuid?.(user.uid);
  if (canBecomeRoot(host)) throw new Error(`became the user ${user.name}, but could become root again`);
}

function canBecomeRoot(host: PrivilegedProcess): boolean {
  try {
    host.setuid?.(0);
    return true;
  } catch {
    // EPERM, as it should be.
    return false;
  }
}
