/**
 * What a server is in a Cyrus murder. A frontend knows the mailboxes of all backends; a backend of a standard murder
 * knows its own alone, so to it most users of the site do not exist.
 */
import { StoreError } from "../../src/store/store.ts";
import type { Completion, ImapConnection } from "./commands.ts";
import type { ImapOptions, ImapServer } from "./options.ts";
import { metadataValues } from "./responses.ts";

/** Cyrus' annotation of a server: room on its partitions. A frontend has none and gives no value. */
const FREE_SPACE = "/shared/vendor/cmu/cyrus-imapd/freespace";

/**
 * Why an absence on this server is no fact; null: nothing in its place in a murder speaks against it. Rejects with
 * "denied" for a backend that is not meant to be asked.
 * @param capabilities in upper case
 */
export async function doubtAboutMurder(
  connection: ImapConnection,
  capabilities: readonly string[],
  { host }: ImapServer,
  meant: ImapOptions["murder"],
): Promise<string | null> {
  if (meant === "backend" || meant === "unified") return null;
  if (!isMurderMember(capabilities)) return null;
  const storesMail = await hasFreeSpace(connection);
  if (storesMail === true) {
    throw new StoreError(
      "denied",
      `imap: ${host} is a backend of a murder and knows only its own mailboxes: name a frontend in smmap_imap_server, ` +
        "or set smmap_imap_murder where a backend is meant or the murder is a unified one",
    );
  }
  if (storesMail === false || meant === "frontend") return null;
  return (
    `${host} is part of a murder and does not tell whether it is a frontend or a backend: ` +
    "set smmap_imap_murder to what it is"
  );
}

/** @param capabilities in upper case */
export function isMurderMember(capabilities: readonly string[]): boolean {
  return capabilities.some((capability) => capability.startsWith("MUPDATE="));
}

/** Whether the server has partitions for mail; null: it does not tell. */
async function hasFreeSpace(connection: ImapConnection): Promise<boolean | null> {
  let completion: Completion;
  try {
    completion = await connection.command("GETMETADATA", ["", FREE_SPACE], ["METADATA"]);
  } catch (error) {
    // A version without the command says BAD.
    if (connection.isLost) throw error;
    return null;
  }
  return completion.status === "OK" ? metadataValues(completion.responses, FREE_SPACE).size > 0 : null;
}
