/** The part of the store that does not load imapflow: its keys, and detection from the configuration. */
import type { StoreManifest } from "../../src/store/store.ts";
import { imapKeys } from "./keys.ts";

export const manifest: StoreManifest = {
  name: "imap",
  keys: imapKeys,

  detect(config) {
    if (config.isSet("smmap_imap_server")) return { reason: "smmap_imap_server is set" };
    const password = ["smmap_imap_password", "proxy_password"].find((key) => config.isSet(key));
    if (password === undefined) return null;
    return { reason: `${password} is set, and no other store is described`, isFallback: true };
  },
};
