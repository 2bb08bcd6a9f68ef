/** Lists the folders beside a mailbox by LIST (RFC 3501 section 6.3.8) and splits their names into levels. */
import { decodeModifiedUtf7, type FolderPaths, type MailboxId } from "../../src/store/store.ts";
import { mailboxName } from "./names.ts";
import { listedName } from "./responses.ts";
import { mustSucceed, type Session } from "./session.ts";

interface Listed {
  readonly path: readonly string[];
  /** false: the name is only a level of the hierarchy. */
  readonly exists: boolean;
}

/**
 * All folders of the user. Of the shared folders, only those below a first level that differs at most in case, because
 * a server may have very many.
 */
export async function foldersBeside(session: Session, mailbox: MailboxId): Promise<FolderPaths> {
  const [first = "", owner] = mailbox.folders;
  const found: Listed[] = [];
  if (mailbox.kind === "user") {
    found.push(...(await list(session, mailbox, [], "*")));
  } else if (first === "user" && owner !== undefined) {
    found.push(...(await list(session, mailbox, [first, owner], "*")));
  } else {
    for (const top of await list(session, mailbox, [], "%")) {
      if (top.path[0]?.toUpperCase() !== first.toUpperCase()) continue;
      found.push(top, ...(await list(session, mailbox, top.path, "*")));
    }
  }
  return found.filter(({ exists }) => exists).map(({ path }) => path);
}

/** @param above common parent levels */
async function list(
  { connection, naming }: Session,
  mailbox: MailboxId,
  above: readonly string[],
  wildcard: "*" | "%",
): Promise<readonly Listed[]> {
  const nameOf = (folders: readonly string[]) => mailboxName({ ...mailbox, folders }, naming);
  // The name of a folder "x" at that level, split at the "x": the prefix, and the domain if there is one.
  const [, before, after = ""] = /^(.*)x((?:@.*)?)$/s.exec(nameOf([...above, "x"]) ?? "") ?? [];
  if (before === undefined) return [];
  const completion = await connection.command("LIST", ["", `${before}${wildcard}${after}`], ["LIST"]);
  return mustSucceed("LIST", completion).flatMap((response) => {
    const { name, exists } = listedName(response);
    if (!name.startsWith(before) || !name.endsWith(after)) return [];
    const levels = name.slice(before.length, name.length - after.length).split(naming.separator);
    const path = [...above, ...levels.map(decodeModifiedUtf7)];
    // The server interprets wildcards in the user's name, so it may list mailboxes of other users as well.
    return nameOf(path) === name ? [{ path, exists }] : [];
  });
}
