/** All options of imapd.conf that are read. A test compares them with docs/imapd.conf.5.md. */
import { builtInStores } from "../store/registry.ts";
import type { KeyDefinition } from "../store/store.ts";
import { addressingKeys } from "./keys-addressing.ts";
import { answerKeys } from "./keys-answers.ts";
import { cacheKeys } from "./keys-cache.ts";
import { daemonKeys } from "./keys-daemon.ts";
import { limitKeys } from "./keys-limits.ts";
import { logKeys } from "./keys-log.ts";
import { observeKeys } from "./keys-observe.ts";
import { processKeys } from "./keys-process.ts";

export const keys: readonly KeyDefinition[] = [
  ...addressingKeys,
  ...answerKeys,
  ...daemonKeys,
  ...cacheKeys,
  ...limitKeys,
  ...processKeys,
  ...logKeys,
  ...observeKeys,
  ...builtInStores.flatMap((store) => store.keys ?? []),
];
