import type { KeyDefinition } from "../store/store.ts";

/** Interpretation of a recipient's address, and quota. */
export const addressingKeys: readonly KeyDefinition[] = [
  {
    name: "configdirectory",
    type: "path",
    default: null,
    text: "Required. An absolute path. {configdirectory} at the beginning of another value is replaced by it.",
  },
  {
    name: "virtdomains",
    type: "choice",
    default: "off",
    values: ["off", "userid", "on"],
    text: "Whether the domain of a recipient is part of the user id. off: it is ignored. userid and on: it is significant, unless it is the defaultdomain.",
  },
  {
    name: "defaultdomain",
    type: "string",
    default: "internal",
    text: "The domain whose user ids have no domain.",
  },
  {
    name: "unixhierarchysep",
    type: "switch",
    default: "yes",
    text: "The levels of a folder after the plus are separated by a slash; with no, by a dot.",
  },
  {
    name: "lmtp_downcase_rcpt",
    type: "switch",
    default: "yes",
    text: "Local part and domain are folded to lower case. The part after the plus is not.",
  },
  {
    name: "postuser",
    type: "string",
    default: "",
    text: "The user id that stands for the shared folders: with bb, mail to bb+News/Local is for the shared folder Local below News. By default it is empty, and the address is +News/Local.",
  },
  {
    name: "smmap_skip_plus",
    type: "switch",
    default: "no",
    text: "The part after the plus is ignored: the INBOX is looked up in place of the folder. For sites whose folders are created at delivery.",
  },
  {
    name: "lmtp_over_quota_perm_failure",
    type: "switch",
    default: "no",
    text: "Over quota is a permanent failure (PERM) in place of a temporary one (TEMP).",
  },
  {
    name: "lmtp_strict_quota",
    type: "switch",
    default: "no",
    text: "A message that does not fit below the storage limit is over quota, as in Cyrus' delivery with this option. With no, a message that exceeds the limit is accepted, as it is by delivery. Affects policy delegation only (smmap_policy_listen), since no other request contains the size of the message.",
  },
];
