/** The keys of the store and the detection of its configuration, without loading ldapts. */
import type { StoreManifest } from "../../src/store/store.ts";
import { ldapKeys } from "./keys.ts";

export const manifest: StoreManifest = {
  name: "ldap",
  keys: ldapKeys,

  /** ldap_uri without a prefix does not select the store, because many sites set it for ptloader. */
  detect(config) {
    if (!config.isSet("ldap_uri")) return null;
    const own = ldapKeys.find(({ name }) =>
      name.startsWith("smmap_ldap_") ? config.isSet(name) : config.isSetForService(name),
    );
    if (own === undefined) return null;
    const written = own.name.startsWith("smmap_") ? own.name : `${config.service}_${own.name}`;
    const isUri = own.name === "ldap_uri";
    return { reason: isUri ? `${written} is set` : `ldap_uri and ${written} are set` };
  },
};
