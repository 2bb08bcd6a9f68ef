/**
 * A connection and the permissions of its account. Without them, "Mailbox does not exist" could also mean that the
 * account may not see the mailbox.
 */
import { StoreError } from "../../src/store/store.ts";
import type { Completion, ImapConnection, Response } from "./commands.ts";
import { isMurderMember, murderAbsenceProblem } from "./murder.ts";
import type { Naming } from "./names.ts";
import type { ImapOptions, ImapServer } from "./options.ts";
import { capabilityNames, hierarchySeparator, sharedNamespace } from "./responses.ts";

export interface Session {
  readonly connection: ImapConnection;
  readonly server: ImapServer;
  /** Whether the account sees every mailbox regardless of its ACL. */
  readonly isAdministrator: boolean;
  readonly naming: Naming;
  /** Why absences on this server are not accepted; null: they are, once confirmed. */
  readonly absenceProblem: string | null;
  /** Whether the server is part of a murder, where its list of mailboxes can be reloaded while it serves. */
  readonly isInMurder: boolean;
}

/** Name of a nonexistent quota root, by which administrators are recognized: only they may query it. */
const UNKNOWN_ROOT = "smmapd-admin-probe";
/**
 * Capability of Cyrus since 2.3 for RFC 4314; other servers have the letters in another order, or no such capability.
 */
const CYRUS_RIGHTS = "RIGHTS=KXTE";

/**
 * Queries the server's role, its naming of mailboxes and the account's permissions. Rejects with "denied" if they are
 * unsuitable.
 */
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
  const isAdministrator = await mayQueryAnyQuota(connection, server, capabilities);
  const isInMurder = isMurderMember(capabilities);
  const roleProblem = await murderAbsenceProblem(connection, capabilities, server, murder);
  const absenceProblem = server.isComplete
    ? roleProblem
    : `${server.host} is not the first server of smmap_imap_server and may lag behind it; ` +
      "if it never does, append /complete to its name";
  if (isAdministrator) {
    return {
      connection,
      server,
      isAdministrator,
      naming: { separator, sharedPrefix: "", defaultDomain },
      absenceProblem,
      isInMurder,
    };
  }
  if (postIdentity === "anyone") {
    throw new StoreError(
      "denied",
      "imap: the account is not an administrator of the server, so hidden mailboxes would be reported as absent; " +
        "add it to admins in the server's imapd.conf",
    );
  }
  const sharedPrefix = sharedNamespace(
    mustSucceed("NAMESPACE", await connection.command("NAMESPACE", [], ["NAMESPACE"])),
  );
  if (sharedPrefix === null) throw new StoreError("denied", "imap: the account has no shared namespace on the server");
  const naming = { separator, sharedPrefix, defaultDomain };
  return { connection, server, isAdministrator, naming, absenceProblem, isInMurder };
}

async function mayQueryAnyQuota(
  connection: ImapConnection,
  { host }: ImapServer,
  capabilities: readonly string[],
): Promise<boolean> {
  const isCyrus = capabilities.some((capability) => capability.startsWith(CYRUS_RIGHTS));
  const notCyrus = (cause?: unknown) =>
    new StoreError("denied", `imap: ${host} is not a Cyrus IMAP server; the imap store supports no other`, {
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

/** The untagged responses of a command that must complete with OK. @throws StoreError */
export function mustSucceed(command: string, completion: Completion): readonly Response[] {
  if (completion.status === "NO") throw unexpected(command, completion.text);
  return completion.responses;
}

/** Cyrus' response for a mailbox that does not exist or that the account may not see; newer servers may add a code. */
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
  return new StoreError("denied", `imap: the server refused ${command} (NO): ${text}`);
}
