/** Compares paths without regard to case. */
import type { FolderPaths } from "./mailbox.ts";

/**
 * The paths among `candidates` that are equal to `folders` without regard to case, each once. Postfix folds by Unicode's
 * rules, by which one letter can become two ("ß" and "ss"). Cyrus' names do not distinguish "^" and ".".
 */
export function sameButForCase(folders: readonly string[], candidates: FolderPaths): FolderPaths {
  const wanted = folders.map(foldLevel);
  const same = candidates.filter(
    (path) => path.length === wanted.length && path.every((level, i) => foldLevel(level) === wanted[i]),
  );
  return [...new Map(same.map((path) => [path.join("\0"), path])).values()];
}

function foldLevel(level: string): string {
  return level.toUpperCase().toLowerCase().replaceAll("^", ".");
}
