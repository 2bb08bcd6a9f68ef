/** What the rules speak of: a mailbox, and what is known about it. Published as a part of "smmapd/store". */

/** Which mailbox a request is about; made once from the key by engine/recipient.ts. */
export type MailboxId = UserMailbox | SharedMailbox;

/** A mailbox of a user: the INBOX or a folder below it. All text is Unicode; upper and lower case are significant. */
export interface UserMailbox {
  readonly kind: "user";
  /** The local part before "+", folded to lower case where lmtp_downcase_rcpt says so. Never empty. */
  readonly user: string;
  /** The domain, folded likewise; null in the default domain, and always null with virtdomains off. */
  readonly domain: string | null;
  /** Levels below the INBOX, case kept; [] is the INBOX itself. No level is empty. */
  readonly folders: readonly string[];
  /** The address without its detail, folded likewise, with the domain that was written; what SQL calls :address. */
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

/** What a store knows about a mailbox. */
export type MailboxFacts = MailboxAbsent | MailboxPresent;

/** The backend states that there is no such mailbox. */
export interface MailboxAbsent {
  readonly exists: false;
}

/** The mailbox is there; whether mail may be posted to it is decided by engine/verdict.ts. */
export interface MailboxPresent {
  readonly exists: true;
  /**
   * RFC 4314 letters that the poster (anyone, anonymous) holds, where posting is a matter of rights: for a shared
   * folder, also for one that a directory files under an ordinary address. null for a user's own mailbox.
   */
  readonly rights: string | null;
  /** The limited resources that count for this mailbox: those of the nearest quota root. [] is no limit. */
  readonly quotas: readonly QuotaUsage[];
  /** The mailbox that answers, where it is another than the one asked for. Adapters leave it out. */
  readonly mailbox?: MailboxId;
}

/** Each as in MailboxId.folders, in its own spelling. */
export type FolderPaths = readonly (readonly string[])[];

/** One resource of one quota root (RFC 9208). */
export interface QuotaUsage {
  /** Name of the quota root, for people to read. */
  readonly root: string;
  readonly resource: "STORAGE" | "MESSAGE";
  /** Octets for STORAGE (RFC 9208 counts units of 1024), messages for MESSAGE. */
  readonly used: number;
  /** Same unit as `used`. 0 is a limit of nothing; a resource without limit is left out. */
  readonly limit: number;
}
