/** The memory store as a module for smmap_store, with so many of the mailboxes of population.ts. */
import { MemoryStore } from "../fixtures/memory-store.ts";
import type { StoreAdapter } from "../src/store/store.ts";
import { userAt } from "./population.ts";

/** Octets. */
const LIMIT = 2 ** 30;

export const adapter: StoreAdapter<number> = {
  name: "memory",
  keys: [{ name: "smmap_memory_users", type: "integer", default: "0", text: "How many users there are." }],
  parse: (config) => config.integer("smmap_memory_users"),
  open: (users) => {
    const names = Array.from({ length: users }, (_, index) => `user.${userAt(index).name}`);
    return new MemoryStore({
      mailboxes: names.map((name) => ({ name, rights: "" })),
      roots: names.map((name) => ({ name, limits: [{ resource: "STORAGE", used: 2 ** 20, limit: LIMIT }] })),
    });
  },
};
