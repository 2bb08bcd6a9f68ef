/** A store whose every answer costs the processor 100 us, so that the load generator is next to nothing beside it. */
import type { MailboxFacts, StoreAdapter } from "../src/store/store.ts";

/** Milliseconds. */
const THOUGHT = 0.1;
const PRESENT: MailboxFacts = { exists: true, rights: null, quotas: [] };

export const adapter: StoreAdapter<null> = {
  name: "thinking",
  parse: () => null,
  open: () => ({
    name: "thinking",
    capabilities: { folders: false, shared: false, quota: [], isLocal: true },
    lookup() {
      const until = performance.now() + THOUGHT;
      while (performance.now() < until) {}
      return PRESENT;
    },
    async ping() {},
    async close() {},
  }),
};
