/** The options of imapd.conf that we read; docs/imapd.conf.5.md says the same, and a test holds the two together. */
import type { KeyDefinition } from "../store/store.ts";
import { addressingKeys } from "./keys-addressing.ts";
import { answerKeys } from "./keys-answers.ts";
import { cacheKeys } from "./keys-cache.ts";
import { daemonKeys } from "./keys-daemon.ts";
import { imapKeys } from "./keys-imap.ts";
import { ldapKeys } from "./keys-ldap.ts";
import { limitKeys } from "./keys-limits.ts";
import { logKeys } from "./keys-log.ts";
import { observeKeys } from "./keys-observe.ts";
import { processKeys } from "./keys-process.ts";
import { sqlKeys } from "./keys-sql.ts";

export const keys: readonly KeyDefinition[] = [
  ...addressingKeys,
  ...answerKeys,
  ...daemonKeys,
  ...cacheKeys,
  ...limitKeys,
  ...processKeys,
  ...logKeys,
  ...observeKeys,
  ...sqlKeys,
  ...ldapKeys,
  ...imapKeys,
];
