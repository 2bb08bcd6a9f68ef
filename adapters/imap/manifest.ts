/** What is known of the store without loading imapflow: its keys, and whether a configuration describes it. */
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
