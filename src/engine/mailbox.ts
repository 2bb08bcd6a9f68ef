/** The types of the rules: a mailbox, and the facts about it. Published as part of "smmapd/store". */

/** The mailbox of a request; made once from the key by engine/recipient.ts. */
export type MailboxId = UserMailbox | SharedMailbox;

/** A mailbox of a user: the INBOX or a folder below it. All text is Unicode; case is significant. */
export interface UserMailbox {
  readonly kind: "user";
  /** The local part before "+", in lower case if lmtp_downcase_rcpt is set. Never empty. */
  readonly user: string;
  /** The domain, folded in the same way; null in the default domain, and always null with virtdomains off. */
  readonly domain: string | null;
  /** Levels below the INBOX, case kept; [] is the INBOX itself. No level is empty. */
  readonly folders: readonly string[];
  /** The address without its detail, folded in the same way, with the domain as received; the SQL parameter :address. */
  readonly address: string;
  /** What followed the "+", as received (RFC 5233 detail); null without a "+". */
  readonly detail: string | null;
}

/** A mailbox without an owner, addressed as `postuser+folder` (imapd.conf's postuser, "" by default). */
export interface SharedMailbox {
  readonly kind: "shared";
  /** Always null by the original's rules: shared folders of other domains cannot be addressed. */
  readonly domain: string | null;
  /** Levels from the shared root, case kept. Never empty, and no level is empty. */
  readonly folders: readonly string[];
  /** As in UserMailbox. */
  readonly address: string;
  /** As in UserMailbox; never null. */
  readonly detail: string;
}

/** The facts that a store reports about a mailbox. */
export type MailboxFacts = MailboxAbsent | MailboxPresent;

/** The backend states that there is no such mailbox. */
export interface MailboxAbsent {
  readonly exists: false;
}

/** The mailbox exists. engine/verdict.ts decides whether mail may be posted to it. */
export interface MailboxPresent {
  readonly exists: true;
  /**
   * Rights of the poster (anyone, anonymous) as letters of RFC 4314, for a shared folder, including one that a directory
   * stores under an ordinary address. null for a user's own mailbox, to which rights do not apply.
   */
  readonly rights: string | null;
  /** The limited resources of the nearest quota root of the mailbox. []: no limit. */
  readonly quotas: readonly QuotaUsage[];
  /** The mailbox that the facts describe, if it is not the requested one. Adapters omit it. */
  readonly mailbox?: MailboxId;
}

/** Each path as in MailboxId.folders, in its own spelling. */
export type FolderPaths = readonly (readonly string[])[];

/** One resource of one quota root (RFC 9208). */
export interface QuotaUsage {
  /** Name of the quota root, for messages. */
  readonly root: string;
  readonly resource: "STORAGE" | "MESSAGE";
  /** Octets for STORAGE (RFC 9208 counts units of 1024), messages for MESSAGE. */
  readonly used: number;
  /** In the unit of `used`. 0: nothing may be stored. A resource without a limit is omitted. */
  readonly limit: number;
}
