import type { KeyDefinition } from "../store/store.ts";

/** Answers that the original does not have: for Postfix' access controls, and for folders that do not exist. */
export const answerKeys: readonly KeyDefinition[] = [
  {
    name: "smmap_access_map",
    type: "string",
    default: null,
    text: "Names of maps, separated by white space, that are answered in the form of Postfix' access(5), for its check_recipient_access and for sendmail's FEATURE(smmapd_access): OK DUNNO for a valid recipient, OK 452 4.2.2 (552 5.2.2 with lmtp_over_quota_perm_failure) over quota, OK 550 5.1.1 or 550 5.7.1 for a recipient that is unknown or may not be posted to. A failure is TEMP, as in other maps. All other maps are answered as in the original, which ignores the name.",
  },
  {
    name: "smmap_policy_listen",
    type: "string",
    default: null,
    text: "Addresses to listen on for requests of Postfix' policy delegation (check_policy_service), in the form of smmap_listen. The actions are those of an access map; with lmtp_strict_quota the size of the message is added to the usage. A failure is DEFER_IF_PERMIT. Ignored under master(8).",
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
    text: "The text after 450 4.3.0, for policy delegation if a look-up fails.",
  },
  {
    name: "smmap_plus_fallback",
    type: "switch",
    default: "no",
    text: "If a user's folder does not exist, the INBOX is looked up, because mail to such a folder is delivered to the INBOX. Does not apply to shared folders.",
  },
  {
    name: "smmap_detail_ignore_case",
    type: "switch",
    default: "no",
    text: "A folder that does not exist as written after the plus is looked up without regard to case. For Postfix, which sends addresses in lower case. Supported by the sqlite store with its own schema, and by the imap store; folders that differ in case only are then a failure.",
  },
  {
    name: "smmap_reply_value",
    type: "choice",
    default: "key",
    values: ["key", "mailbox"],
    text: "The value after OK: the key as it was received, or Cyrus' name of the mailbox that was found, such as user.fred.Lists.",
  },
];
