/**
 * The role of a server in a Cyrus murder. A frontend lists the mailboxes of all backends. A backend of a standard
 * murder lists only its own, so it reports most users of the site as nonexistent.
 */
import { StoreError } from "../../src/store/store.ts";
import type { Completion, ImapConnection } from "./commands.ts";
import type { ImapOptions, ImapServer } from "./options.ts";
import { metadataValues } from "./responses.ts";

/** Cyrus' annotation of a server: free space on its partitions. A frontend has no partitions and returns no value. */
const FREE_SPACE = "/shared/vendor/cmu/cyrus-imapd/freespace";

/**
 * Why an absence on this server cannot be accepted because of its role; null: the role does not prevent it. Rejects
 * with "denied" for a backend unless smmap_imap_murder allows it.
 * @param capabilities in upper case
 * @param configuredRole smmap_imap_murder
 */
export async function murderAbsenceProblem(
  connection: ImapConnection,
  capabilities: readonly string[],
  { host }: ImapServer,
  configuredRole: ImapOptions["murder"],
): Promise<string | null> {
  if (configuredRole === "backend" || configuredRole === "unified") return null;
  if (!isMurderMember(capabilities)) return null;
  const storesMail = await hasFreeSpace(connection);
  if (storesMail === true) {
    throw new StoreError(
      "denied",
      `imap: ${host} is a backend of a murder and lists only its own mailboxes: name a frontend in smmap_imap_server, ` +
        "or set smmap_imap_murder to backend or unified",
    );
  }
  if (storesMail === false || configuredRole === "frontend") return null;
  return `${host} is a murder member of unknown role: set smmap_imap_murder to frontend, backend or unified`;
}

/** Whether the server is part of a murder. @param capabilities in upper case */
export function isMurderMember(capabilities: readonly string[]): boolean {
  return capabilities.some((capability) => capability.startsWith("MUPDATE="));
}

/** Whether the server has partitions for mail; null: unknown. */
async function hasFreeSpace(connection: ImapConnection): Promise<boolean | null> {
  let completion: Completion;
  try {
    completion = await connection.command("GETMETADATA", ["", FREE_SPACE], ["METADATA"]);
  } catch (error) {
    // A version without the command answers BAD.
    if (connection.isLost) throw error;
    return null;
  }
  return completion.status === "OK" ? metadataValues(completion.responses, FREE_SPACE).size > 0 : null;
}
