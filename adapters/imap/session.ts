/** A connection, and what the account on it may see: without that, "does not exist" could mean "may not be seen". */
import { StoreError } from "../../src/store/store.ts";
import type { Completion, ImapConnection, Response } from "./commands.ts";
import { doubtAboutMurder, isMurderMember } from "./murder.ts";
import type { Naming } from "./names.ts";
import type { ImapOptions, ImapServer } from "./options.ts";
import { capabilityNames, hierarchySeparator, sharedNamespace } from "./responses.ts";

export interface Session {
  readonly connection: ImapConnection;
  readonly server: ImapServer;
  /** Whether the account sees every mailbox, whatever its ACL says. */
  readonly isAdministrator: boolean;
  readonly naming: Naming;
  /** Why an absence on this server is no fact; null: it is one, once confirmed. */
  readonly absenceDoubt: string | null;
  /** Whether the server is part of a murder, where mailboxes come to its list and leave it while it serves. */
  readonly isInMurder: boolean;
}

/** A quota root that does not exist. Only an administrator is told so; all others may not ask. */
const UNKNOWN_ROOT = "smmapd-looks-for-its-rights";
/** How Cyrus since 2.3 lists the rights of RFC 4314; other servers write the letters in another order, or none. */
const CYRUS_RIGHTS = "RIGHTS=KXTE";

/** Asks what the server is, how mailboxes are named and what the account may. Rejects with "denied" where it is of no use. */
export async function probeAccount(
  connection: ImapConnection,
  server: ImapServer,
  options: ImapOptions,
): Promise<Session> {
  const { postIdentity, defaultDomain, murder } = options;
  const separator = hierarchySeparator(mustSucceed("LIST", await connection.command("LIST", ["", ""], ["LIST"])));
  const capabilities = capabilityNames(
    mustSucceed("CAPABILITY", await connection.command("CAPABILITY", [], ["CAPABILITY"])),
  );
  const isAdministrator = await mayAskForAnyQuota(connection, server, capabilities);
  const isInMurder = isMurderMember(capabilities);
  const murderDoubt = await doubtAboutMurder(connection, capabilities, server, murder);
  const absenceDoubt = server.isComplete
    ? murderDoubt
    : `${server.host} is not the first server of smmap_imap_server and may lag behind it; ` +
      "/complete behind its name says that it does not";
  if (isAdministrator) {
    return {
      connection,
      server,
      isAdministrator,
      naming: { separator, sharedPrefix: "", defaultDomain },
      absenceDoubt,
      isInMurder,
    };
  }
  if (postIdentity === "anyone") {
    throw new StoreError(
      "denied",
      "imap: the account is no administrator of the server, so mailboxes that it may not see would pass for absent; " +
        "add it to admins in the server's imapd.conf",
    );
  }
  const sharedPrefix = sharedNamespace(
    mustSucceed("NAMESPACE", await connection.command("NAMESPACE", [], ["NAMESPACE"])),
  );
  if (sharedPrefix === null) throw new StoreError("denied", "imap: the server shows no shared folders to the account");
  const naming = { separator, sharedPrefix, defaultDomain };
  return { connection, server, isAdministrator, naming, absenceDoubt, isInMurder };
}

async function mayAskForAnyQuota(
  connection: ImapConnection,
  { host }: ImapServer,
  capabilities: readonly string[],
): Promise<boolean> {
  const isCyrus = capabilities.some((capability) => capability.startsWith(CYRUS_RIGHTS));
  const notCyrus = (cause?: unknown) =>
    new StoreError("denied", `imap: ${host} is not a Cyrus IMAP server, and the imap store works with no other`, {
      cause,
    });
  let completion: Completion;
  try {
    completion = await connection.command("GETQUOTA", [UNKNOWN_ROOT]);
  } catch (error) {
    throw isCyrus || connection.isLost ? error : notCyrus(error);
  }
  if (completion.status === "OK" || isNoSuchQuotaRoot(completion)) return true;
  if (isPermissionDenied(completion)) return false;
  throw isCyrus ? unexpected("GETQUOTA", completion.text) : notCyrus();
}

/** The untagged responses of a command that has no reason to fail. @throws StoreError */
export function mustSucceed(command: string, completion: Completion): readonly Response[] {
  if (completion.status === "NO") throw unexpected(command, completion.text);
  return completion.responses;
}

/** Cyrus' words for a mailbox that is not there, or that the account may not see; newer servers may add a code. */
export function isNoSuchMailbox(completion: Completion): boolean {
  return (
    completion.status === "NO" && (completion.text === "Mailbox does not exist" || completion.code === "NONEXISTENT")
  );
}

export function isNoSuchQuotaRoot(completion: Completion): boolean {
  return completion.status === "NO" && completion.text === "Quota root does not exist";
}

export function isPermissionDenied(completion: Completion): boolean {
  return completion.status === "NO" && (completion.text === "Permission denied" || completion.code === "NOPERM");
}

function unexpected(command: string, text: string): StoreError {
  return new StoreError("denied", `imap: the server refuses ${command}: ${text}`);
}
