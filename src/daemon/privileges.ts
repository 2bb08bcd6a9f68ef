/** Becoming another user than root, irrevocably. */
import type { ProcessSettings } from "../config/process-settings.ts";
import type { PrivilegedProcess } from "../io.ts";
import { ConfigError } from "../store/store.ts";
import { findGroup, findUser, type User } from "./accounts.ts";

/** The user and group to become. */
export interface Identity {
  readonly user: User;
  readonly gid: number;
}

/**
 * The user that a process of root's has to become.
 * @returns null: the process stays as it is, because it is not root's or smmap_user is root
 * @throws ConfigError where there is no such user or group
 */
export function chooseIdentity(
  { user: name, group, userOrigin }: Pick<ProcessSettings, "user" | "group" | "userOrigin">,
  host: PrivilegedProcess,
): Identity | null {
  if (host.getuid?.() !== 0) return null;
  const user = findUser(name);
  if (user === null) {
    throw new ConfigError(
      `${userOrigin}: started by root, smmapd has to become the user ${name}, which does not exist; ` +
        "name an existing user in smmap_user",
    );
  }
  if (user.uid === 0) {
    if (userOrigin === "smmap_user") return null;
    throw new ConfigError(`${userOrigin}: ${name} is root; to run smmapd as root, name it in smmap_user`);
  }
  const gid = group === null ? user.gid : findGroup(group);
  if (gid === null) throw new ConfigError(`cyrus_group: there is no group ${group}`);
  return { user, gid };
}

/** Gives up root's rights, its groups included. @throws Error if the process could become root again */
export function dropPrivileges({ user, gid }: Identity, host: PrivilegedProcess): void {
  // Groups first: only root may change them.
  host.initgroups?.(user.name, gid);
  host.setgid?.(gid);
  host.setuid?.(user.uid);
  if (canBecomeRoot(host)) throw new Error(`the process runs as ${user.name}, but could become root again`);
}

function canBecomeRoot(host: PrivilegedProcess): boolean {
  try {
    host.setuid?.(0);
    return true;
  } catch {
    // EPERM, as expected.
    return false;
  }
}
