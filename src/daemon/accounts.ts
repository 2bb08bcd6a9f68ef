/** Users and groups of the system by name, from wherever it has them: getent(1) asks files, LDAP and all the others. */
import { execFileSync } from "node:child_process";

export interface User {
  readonly name: string;
  readonly uid: number;
  /** Its own group. */
  readonly gid: number;
}

/** @param who a name or a number; @returns null: there is no such user */
export function findUser(who: string): User | null {
  const [name, , uid, gid] = entry("passwd", who) ?? [];
  return name === undefined ? null : { name, uid: Number(uid), gid: Number(gid) };
}

/** @param which a name or a number; @returns its number; null: there is no such group */
export function findGroup(which: string): number | null {
  const [, , gid] = entry("group", which) ?? [];
  return gid === undefined ? null : Number(gid);
}

/** Status of getent(1) for a name that nobody knows. */
const NOT_FOUND = 2;

function entry(database: "passwd" | "group", name: string): readonly string[] | null {
  try {
    const line = execFileSync("getent", [database, "--", name], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "pipe"],
    });
    return line.trimEnd().split(":");
  } catch (error) {
    if ((error as { readonly status?: unknown }).status === NOT_FOUND) return null;
    throw error;
  }
}
