/** Looks up users and groups by name through getent(1), which asks every source of nsswitch.conf. */
import { execFileSync } from "node:child_process";

export interface User {
  readonly name: string;
  readonly uid: number;
  /** Its primary group. */
  readonly gid: number;
}

/** @param key a name or a number; @returns null: there is no such user */
export function findUser(key: string): User | null {
  const [name, , uid, gid] = entry("passwd", key) ?? [];
  return name === undefined ? null : { name, uid: Number(uid), gid: Number(gid) };
}

/** @param key a name or a number; @returns its number; null: there is no such group */
export function findGroup(key: string): number | null {
  const [, , gid] = entry("group", key) ?? [];
  return gid === undefined ? null : Number(gid);
}

/** Exit status of getent(1) for an unknown name. */
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
