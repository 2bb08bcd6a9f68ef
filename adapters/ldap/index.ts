/** The store "ldap": recipients in a directory, by LDAPv3. Documented in docs/store-ldap.md. */

import type { StoreAdapter } from "../../src/store/store.ts";
import { manifest } from "./manifest.ts";
import { type LdapOptions, readOptions } from "./options.ts";
import { LdapStore } from "./store.ts";

export const adapter: StoreAdapter<LdapOptions> = {
  ...manifest,
  parse: readOptions,
  open: (options, { log }) => new LdapStore(options, log),
};
