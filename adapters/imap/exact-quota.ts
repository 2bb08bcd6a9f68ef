/**
 * Exact STORAGE usage in octets. IMAP reports it in units of 1024 octets, rounded down, so a usage that is reported as
 * equal to the limit may exceed it by up to 1023 octets. An administrator of Cyrus can add up the sizes of the
 * mailboxes instead.
 */
import type { QuotaUsage } from "../../src/store/store.ts";
import type { ImapConnection } from "./commands.ts";
import type { Naming } from "./names.ts";
import { DOMAIN_ROOT, metadataValues, quotaRoots } from "./responses.ts";
import { isNoSuchMailbox, mustSucceed } from "./session.ts";

/** Cyrus' annotation of a mailbox: its contribution to the usage of its quota root, octets. */
const SIZE = "/shared/vendor/cmu/cyrus-imapd/size";
/** Maximum number of mailboxes of one root, each of which takes a command; a larger root keeps its rounded usage. */
const MAILBOXES_MAX = 500;

/** The same quotas; a STORAGE usage equal to its limit is replaced by the exact one if that can be determined. */
export async function exactUsage(
  connection: ImapConnection,
  quotas: readonly QuotaUsage[],
  naming: Naming,
  signal: AbortSignal,
): Promise<readonly QuotaUsage[]> {
  const exact: QuotaUsage[] = [];
  for (const quota of quotas) {
    const isAmbiguous = quota.resource === "STORAGE" && quota.used === quota.limit;
    exact.push(isAmbiguous ? await exactly(connection, quota, naming, signal) : quota);
  }
  return exact;
}

async function exactly(
  connection: ImapConnection,
  quota: QuotaUsage,
  naming: Naming,
  signal: AbortSignal,
): Promise<QuotaUsage> {
  // A domain's root excludes mailboxes that existed before it was set, so sizes do not add up to its usage.
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
  // If the sum does not round to the reported usage, the usage changed meanwhile or is counted differently.
  return Math.floor(used / 1024) * 1024 === quota.used ? { ...quota, used } : quota;
}

/** Sizes of the nonempty mailboxes at and below a name, octets. */
async function sizesBelow(
  connection: ImapConnection,
  root: string,
  { separator, defaultDomain }: Naming,
): Promise<ReadonlyMap<string, number>> {
  const at = defaultDomain === null ? -1 : root.lastIndexOf("@");
  const [path, domain] = at < 0 ? [root, ""] : [root.slice(0, at), root.slice(at)];
  const sizes = new Map<string, number>();
  // The name is interpreted as a pattern; other mailboxes that it matches have other quota roots.
  for (const pattern of [root, `${path}${separator}*${domain}`]) {
    const completion = await connection.command("GETMETADATA", [pattern, SIZE], ["METADATA"]);
    // The response to a pattern without a match.
    if (isNoSuchMailbox(completion)) continue;
    for (const [mailbox, text] of metadataValues(mustSucceed("GETMETADATA", completion), SIZE)) {
      const size = /^[0-9]+$/.test(text) ? Number(text) : Number.NaN;
      if (size !== 0) sizes.set(mailbox, size);
    }
  }
  return sizes;
}
