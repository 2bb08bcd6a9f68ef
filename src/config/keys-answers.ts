import type { KeyDefinition } from "../store/store.ts";

/** Answers that the original does not give: for Postfix' access controls, and for sites that take a detail less literally. */
export const answerKeys: readonly KeyDefinition[] = [
  {
    name: "smmap_access_map",
    type: "string",
    default: null,
    text: "Names of maps, separated by white space, that are answered in the form of Postfix' access(5), for its check_recipient_access and for sendmail's FEATURE(smmapd_access): OK DUNNO for a good recipient, OK 452 4.2.2 (552 5.2.2 with lmtp_over_quota_perm_failure) over quota, OK 550 5.1.1 or 550 5.7.1 for a recipient that is unknown or may not be posted to. A failure is TEMP as ever. All other maps are answered as in the original, which ignores the name.",
  },
  {
    name: "smmap_policy_listen",
    type: "string",
    default: null,
    text: "Where to listen for requests of Postfix' policy delegation (check_policy_service), in the form of smmap_listen. It answers with the same actions as an access map, and with lmtp_strict_quota it counts the size of the message besides. A failure is DEFER_IF_PERMIT. Not used under master(8).",
  },
  {
    name: "smmap_text_absent",
    type: "string",
    default: "Mailbox does not exist",
    text: "The text after 550 5.1.1, for access maps and policy delegation.",
  },
  {
    name: "smmap_text_denied",
    type: "string",
    default: "Posting to this mailbox is not permitted",
    text: "The text after 550 5.7.1.",
  },
  {
    name: "smmap_text_over_quota",
    type: "string",
    default: "Mailbox is full",
    text: "The text after 452 4.2.2 or 552 5.2.2.",
  },
  {
    name: "smmap_text_failed",
    type: "string",
    default: "Mailbox look-up failed, try again later",
    text: "The text after 450 4.3.0, for policy delegation where a look-up fails.",
  },
  {
    name: "smmap_plus_fallback",
    type: "switch",
    default: "no",
    text: "The INBOX answers for a user's folder that does not exist, because mail to it is delivered to the INBOX. Shared folders have no such refuge.",
  },
  {
    name: "smmap_detail_ignore_case",
    type: "switch",
    default: "no",
    text: "A folder that does not exist as it is written after the plus is looked for in another case. For Postfix, which asks in lower case. The sqlite store can do it with its own schema, and the imap store; folders that differ in nothing but case are then a failure.",
  },
  {
    name: "smmap_reply_value",
    type: "choice",
    default: "key",
    values: ["key", "mailbox"],
    text: "What follows OK: the key as it was received, or Cyrus' name of the mailbox that was found, such as user.fred.Lists.",
  },
];
