/** The store "imap": a live Cyrus server, queried as its administrator. docs/store-imap.md is its manual. */

import type { StoreAdapter } from "../../src/store/store.ts";
import { checkLibrary } from "./commands.ts";
import { manifest } from "./manifest.ts";
import { type ImapOptions, parseOptions } from "./options.ts";
import { ImapStore } from "./store.ts";

export const adapter: StoreAdapter<ImapOptions> = {
  ...manifest,
  parse: parseOptions,
  open(options, context) {
    checkLibrary();
    return new ImapStore(options, context);
  },
};
