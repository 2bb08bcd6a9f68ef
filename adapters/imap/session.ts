/** A connection, and what the account on it may see: without that, "does not exist" could mean "may not be seen". */
import { StoreError } from "../../src/store/store.ts";
import type { Completion, ImapConnection, Response } from "./commands.ts";
import type { Naming } from "./names.ts";
import type { ImapOptions } from "./options.ts";
import { hierarchySeparator, sharedNamespace } from "./responses.ts";

export interface Session {
  readonly connection: ImapConnection;
  /** Whether the account sees every mailbox, whatever its ACL says. */
  readonly isAdministrator: boolean;
  readonly naming: Naming;
}

/** A quota root that nobody has. Only an administrator is told so; all others may not ask. */
const UNKNOWN_ROOT = "smmapd-looks-for-its-rights";

/** Asks how mailboxes are named and what the account is. Rejects with "denied" where it is of no use. */
export async function examine(connection: ImapConnection, options: ImapOptions): Promise<Session> {
  const { postIdentity, defaultDomain } = options;
  const separator = hierarchySeparator(mustSucceed("LIST", await connection.command("LIST", ["", ""], ["LIST"])));
  const isAdministrator = await mayAskForAnyQuota(connection);
  if (isAdministrator) return { connection, isAdministrator, naming: { separator, sharedPrefix: "", defaultDomain } };
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
  return { connection, isAdministrator, naming: { separator, sharedPrefix, defaultDomain } };
}

async function mayAskForAnyQuota(connection: ImapConnection): Promise<boolean> {
  const completion = await connection.command("GETQUOTA", [UNKNOWN_ROOT]);
  if (completion.status === "OK" || isNoSuchQuotaRoot(completion)) return true;
  if (isPermissionDenied(completion)) return false;
  throw unexpected("GETQUOTA", completion.text);
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
