/** One address looked into, every step kept: what `smmapd check` shows. */

import type { Service } from "../daemon/service.ts";
import { actionFor } from "../engine/access.ts";
import { unquoted } from "../engine/quoted-localpart.ts";
import type { Recipient, Unaddressable } from "../engine/recipient.ts";
import {
  decide,
  decideWithoutFacts,
  explain,
  type Failure,
  nameAsValue,
  replyTo,
  type Verdict,
} from "../engine/verdict.ts";
import { Lookup } from "../store/lookup.ts";
import { internalName, type MailboxFacts, type MailboxId, StoreError } from "../store/store.ts";

export interface Inquiry {
  readonly recipient: Recipient;
  readonly mailbox: MailboxId | Unaddressable;
  /** null: the store was not asked, or could not tell. */
  readonly facts: MailboxFacts | null;
  /** Why the store could not tell. */
  readonly failure: StoreError | null;
  readonly outcome: Verdict | Failure;
  /** As the daemon would give it: a byte string. */
  readonly reply: string;
}

/** @param key byte string, as a mail server would send it; @param map its name can make it an access map */
export async function inquire(service: Service, key: string, map: string): Promise<Inquiry> {
  const asWritten = await inquireOnce(service, key);
  const { accessMaps, accessTexts, policy } = service.settings;
  if (!accessMaps.has(map)) return asWritten;
  const plain = asWritten.outcome === "absent" ? unquoted(key) : null;
  const inquiry = plain === null ? asWritten : await inquireOnce(service, plain);
  const { outcome } = inquiry;
  if (outcome === "failed" || outcome === "timeout") return inquiry;
  return { ...inquiry, reply: `OK ${actionFor(outcome, accessTexts, policy)}` };
}

async function inquireOnce(service: Service, key: string): Promise<Inquiry> {
  const { recipients, store, settings } = service;
  const recipient = recipients.split(key);
  const mailbox = recipients.locate(recipient);
  const concluded = (outcome: Verdict | Failure, facts: MailboxFacts | null, failure: StoreError | null): Inquiry => {
    const isNamed = settings.value === "mailbox" && mailbox.kind !== "none" && facts?.exists;
    const value = isNamed ? nameAsValue(mailbox, facts) : key;
    return { recipient, mailbox, facts, failure, outcome, reply: replyTo(outcome, value, settings.policy) };
  };
  if (mailbox.kind === "none") return concluded("absent", null, null);
  try {
    const facts = await store.lookup(mailbox, new Lookup());
    return concluded(decide(mailbox, facts), facts, null);
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    const outcome = decideWithoutFacts(error.code === "timeout" ? "timeout" : "failed", settings.policy);
    return concluded(outcome, null, error);
  }
}

/** The steps of an inquiry as lines for people: what was read, what it was taken for, what the store said, why so. */
export function describe(service: Service, inquiry: Inquiry): readonly string[] {
  const { mailbox, facts, failure, outcome } = inquiry;
  const lines = [`address   ${describeAddress(service, inquiry.recipient)}`];
  lines.push(`domain    ${describeDomainRule(service, inquiry.recipient)}`);
  if (mailbox.kind !== "none") lines.push(`mailbox   ${describeMailbox(service, mailbox)}`);
  lines.push(`store     ${describeAnswer(service.store.name, facts, failure)}`);
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
        ? "the store could not tell, and smmap_on_failure is ok"
        : "the store could not tell, so the answer is temporary";
  lines.push(`verdict   ${outcome}: ${rule}`);
  return lines;
}

function describeAddress(service: Service, { localpart, detail, domain }: Recipient): string {
  const parts = [`local part ${JSON.stringify(localpart)}`];
  if (detail !== null) parts.push(`detail ${JSON.stringify(detail)}`);
  if (domain !== null) parts.push(`domain ${JSON.stringify(domain)}`);
  const { downcase } = service.recipients.rules;
  return `${parts.join(", ")} (lmtp_downcase_rcpt: ${downcase ? "yes, lower case but for the detail" : "no"})`;
}

function describeDomainRule(service: Service, { domain, isDefaultDomain, userid }: Recipient): string {
  const { virtualDomains, defaultDomain } = service.recipients.rules;
  const rule = !virtualDomains
    ? "virtdomains is off, no domain counts"
    : domain === null
      ? `none written, so the default domain ${defaultDomain}`
      : isDefaultDomain
        ? "the default domain, left out"
        : "counts";
  return `${rule}; user id ${JSON.stringify(userid)}`;
}

function describeMailbox(service: Service, mailbox: MailboxId): string {
  const folder = mailbox.folders.join(service.recipients.rules.separator);
  const name = `Cyrus would call it ${internalName(mailbox)}`;
  if (mailbox.kind === "shared") return `shared folder ${JSON.stringify(folder)}; ${name}`;
  return `${folder === "" ? "INBOX" : `folder ${JSON.stringify(folder)}`} of user ${JSON.stringify(mailbox.user)}; ${name}`;
}

function describeAnswer(store: string, facts: MailboxFacts | null, failure: StoreError | null): string {
  // Its message begins with who speaks.
  if (failure !== null) return `${failure.message} [${failure.code}]`;
  return `${store}: ${facts === null ? "not asked" : describeFacts(facts)}`;
}

function describeFacts(facts: MailboxFacts): string {
  if (!facts.exists) return "no such mailbox";
  const rights = facts.rights === null ? "rights do not matter" : `rights ${JSON.stringify(facts.rights)}`;
  return `exists, ${rights}, ${facts.quotas.length === 0 ? "no quota limit" : "limited by quota"}`;
}
