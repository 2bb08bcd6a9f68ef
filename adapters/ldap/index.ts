/** The store "ldap": recipients in a directory, asked by LDAPv3. docs/store-ldap.md is its page. */

import type { StoreAdapter } from "../../src/store/store.ts";
import { manifest } from "./manifest.ts";
import { type LdapOptions, readOptions } from "./options.ts";
import { LdapStore } from "./store.ts";

export const adapter: StoreAdapter<LdapOptions> = {
  ...manifest,
  parse: readOptions,
  open: (options, { log }) => new LdapStore(options, log),
};
