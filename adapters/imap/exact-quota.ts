/**
 * STORAGE to the octet. IMAP shows it in whole units of 1024 octets, rounded down, so a usage that is shown as just the
 * limit may be up to 1023 octets above it. An administrator of Cyrus can add up the sizes of the mailboxes instead.
 */
import type { QuotaUsage } from "../../src/store/store.ts";
import type { ImapConnection } from "./commands.ts";
import type { Naming } from "./names.ts";
import { DOMAIN_ROOT, metadataValues, quotaRoots } from "./responses.ts";
import { isNoSuchMailbox, mustSucceed } from "./session.ts";

/** Cyrus' annotation of a mailbox: what it counts for in its quota root, octets. */
const SIZE = "/shared/vendor/cmu/cyrus-imapd/size";
/** Mailboxes of one root that are looked at, one command each; a root of more keeps its rounded figure. */
const MAILBOXES_MAX = 500;

/** The same quotas, with usages that are shown as just the limit replaced by exact ones where they can be had. */
export async function exactUsage(
  connection: ImapConnection,
  quotas: readonly QuotaUsage[],
  naming: Naming,
  signal: AbortSignal,
): Promise<readonly QuotaUsage[]> {
  const exact: QuotaUsage[] = [];
  for (const quota of quotas) {
    const isInDoubt = quota.resource === "STORAGE" && quota.used === quota.limit;
    exact.push(isInDoubt ? await exactly(connection, quota, naming, signal) : quota);
  }
  return exact;
}

async function exactly(
  connection: ImapConnection,
  quota: QuotaUsage,
  naming: Naming,
  signal: AbortSignal,
): Promise<QuotaUsage> {
  // A domain's root does not count what was there before it was set, so sizes do not add up to its usage.
  if (quota.root === DOMAIN_ROOT || quota.root.startsWith("@")) return quota;
  const sizes = await sizesBelow(connection, quota.root, naming);
  if (sizes.size > MAILBOXES_MAX) return quota;
  let used = 0;
  for (const [mailbox, size] of sizes) {
    if (signal.aborted) throw signal.reason;
    const completion = await connection.command("GETQUOTAROOT", [mailbox], ["QUOTAROOT"]);
    if (isNoSuchMailbox(completion)) continue;
    const [root] = quotaRoots(mustSucceed("GETQUOTAROOT", completion), mailbox);
    if (root === quota.root) used += size;
  }
  // Where it does not round to what was shown, something changed on the way, or is counted otherwise.
  return Math.floor(used / 1024) * 1024 === quota.used ? { ...quota, used } : quota;
}

/** Mailboxes at and below a name that hold anything, and how much. */
async function sizesBelow(
  connection: ImapConnection,
  root: string,
  { separator, defaultDomain }: Naming,
): Promise<ReadonlyMap<string, number>> {
  const at = defaultDomain === null ? -1 : root.lastIndexOf("@");
  const [path, domain] = at < 0 ? [root, ""] : [root.slice(0, at), root.slice(at)];
  const sizes = new Map<string, number>();
  // The name is a pattern here; what it matches beyond the root's mailboxes has other quota roots.
  for (const pattern of [root, `${path}${separator}*${domain}`]) {
    const completion = await connection.command("GETMETADATA", [pattern, SIZE], ["METADATA"]);
    // So it says of a pattern that matches nothing.
    if (isNoSuchMailbox(completion)) continue;
    for (const [mailbox, text] of metadataValues(mustSucceed("GETMETADATA", completion), SIZE)) {
      const size = /^[0-9]+$/.test(text) ? Number(text) : Number.NaN;
      if (size !== 0) sizes.set(mailbox, size);
    }
  }
  return sizes;
}
