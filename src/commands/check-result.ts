/** The result of `smmapd check` for one address: the judgement that the daemon would make, and its steps as text. */
import type { Service } from "../daemon/service.ts";
import type { Recipient } from "../engine/recipient.ts";
import { explain } from "../engine/verdict.ts";
import type { Judgement } from "../requests/recipient-judge.ts";
import { Lookup } from "../store/lookup.ts";
import { internalName, type MailboxFacts, type MailboxId, type StoreError } from "../store/store.ts";

export interface CheckResult extends Judgement {
  /** The reply of the daemon, a byte string. */
  readonly reply: string;
}

/**
 * Judges an address as the daemon would.
 * @param key a byte string, as in a request
 * @param map the name of the map; access maps have replies of their own
 */
export async function checkAddress({ socketmap }: Service, key: string, map: string): Promise<CheckResult> {
  const judgement = await socketmap.judge(map, key, new Lookup());
  return { ...judgement, reply: socketmap.replyTo(map, key, judgement) };
}

/** The steps of a judgement as lines of text: address, domain rule, mailbox, answer of the store, verdict. */
export function describe(service: Service, result: CheckResult): readonly string[] {
  const { mailbox, facts, failure, outcome } = result;
  const lines = [`address   ${describeAddress(service, result.recipient)}`];
  lines.push(`domain    ${describeDomainRule(service, result.recipient)}`);
  if (mailbox.kind !== "none") lines.push(`mailbox   ${describeMailbox(service, mailbox)}`);
  lines.push(`store     ${describeAnswer(service.stack.store.name, facts, failure)}`);
  if (facts?.exists) {
    if (facts.mailbox !== undefined) lines.push(`instead   ${describeMailbox(service, facts.mailbox)}`);
    for (const { root, resource, used, limit } of facts.quotas) {
      const unit = resource === "STORAGE" ? "octets" : "messages";
      lines.push(`quota     root ${root}: ${resource} ${used} of ${limit} ${unit}`);
    }
  }
  const rule =
    failure === null
      ? explain(mailbox, facts)
      : outcome === "accept"
        ? "the look-up failed, and smmap_on_failure is ok"
        : "the look-up failed, so the reply is temporary";
  lines.push(`verdict   ${outcome}: ${rule}`);
  return lines;
}

function describeAddress(service: Service, { localpart, detail, domain }: Recipient): string {
  const parts = [`local part ${JSON.stringify(localpart)}`];
  if (detail !== null) parts.push(`detail ${JSON.stringify(detail)}`);
  if (domain !== null) parts.push(`domain ${JSON.stringify(domain)}`);
  const { downcase } = service.recipients.rules;
  return `${parts.join(", ")} (lmtp_downcase_rcpt: ${downcase ? "yes, lower case except the detail" : "no"})`;
}

function describeDomainRule(service: Service, { domain, isDefaultDomain, userid }: Recipient): string {
  const { virtualDomains, defaultDomain } = service.recipients.rules;
  const rule = !virtualDomains
    ? "virtdomains is off, so the domain is ignored"
    : domain === null
      ? `none given, so the default domain ${defaultDomain}`
      : isDefaultDomain
        ? "the default domain, which is left out"
        : "part of the user id";
  return `${rule}; user id ${JSON.stringify(userid)}`;
}

function describeMailbox(service: Service, mailbox: MailboxId): string {
  const folder = mailbox.folders.join(service.recipients.rules.separator);
  const name = `internal name ${internalName(mailbox)}`;
  if (mailbox.kind === "shared") return `shared folder ${JSON.stringify(folder)}; ${name}`;
  return `${folder === "" ? "INBOX" : `folder ${JSON.stringify(folder)}`} of user ${JSON.stringify(mailbox.user)}; ${name}`;
}

function describeAnswer(store: string, facts: MailboxFacts | null, failure: StoreError | null): string {
  // The message begins with the name of the store.
  if (failure !== null) return `${failure.message} [${failure.code}]`;
  return `${store}: ${facts === null ? "not asked" : describeFacts(facts)}`;
}

function describeFacts(facts: MailboxFacts): string {
  if (!facts.exists) return "no such mailbox";
  const rights = facts.rights === null ? "rights are not checked" : `rights ${JSON.stringify(facts.rights)}`;
  return `exists, ${rights}, ${facts.quotas.length === 0 ? "no quota limit" : "limited by quota"}`;
}
