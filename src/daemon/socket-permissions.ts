/** The files of UNIX sockets: owner, mode, and whether a mail server can reach them. */
import { statSync } from "node:fs";
import { dirname } from "node:path";
import type { ProcessSettings } from "../config/process-settings.ts";
import type { SocketRights } from "../net/listener.ts";
import { ConfigError } from "../store/store.ts";
import { findGroup, findUser } from "./accounts.ts";

/** Owner and mode of socket files. @throws ConfigError where there is no such user or group */
export function socketRights(
  mode: number,
  { socketOwner, socketGroup }: Pick<ProcessSettings, "socketOwner" | "socketGroup">,
): SocketRights {
  const uid = socketOwner === null ? null : findUser(socketOwner)?.uid;
  if (uid === undefined) throw new ConfigError(`smmap_socket_owner: there is no user ${socketOwner}`);
  const gid = socketGroup === null ? null : findGroup(socketGroup);
  if (gid === null && socketGroup !== null) {
    throw new ConfigError(`smmap_socket_group: there is no group ${socketGroup}`);
  }
  return { mode, uid, gid };
}

/** Why mail servers cannot or will not use a socket in its folder; null: there is no such reason. */
export function folderProblem(path: string, { mode }: SocketRights): string | null {
  const isForOthers = (mode & 0o066) !== 0;
  for (let folder = dirname(path); ; folder = dirname(folder)) {
    const rights = statSync(folder).mode;
    if ((rights & 0o002) !== 0) {
      const isShared = (rights & 0o1000) !== 0;
      const remedy = isShared ? "put it elsewhere" : `put it elsewhere, or chmod o-w ${folder}`;
      return `${folder} is writable by everybody, so sendmail refuses ${path}: ${remedy}`;
    }
    if (isForOthers && (rights & 0o011) === 0) {
      return `${folder} is accessible to its owner only, so mail servers cannot reach ${path}: chmod go+x ${folder}`;
    }
    if (folder === dirname(folder)) return null;
  }
}
