/** The suite against a store that is known to be right, in each form that a store may take. */
import { describe, it } from "vitest";
import { conformanceMemoryStore, type MemoryFault, type MemoryStore } from "../../fixtures/memory-store.ts";
import { storeConformance } from "../../src/conformance/index.ts";
import type { StoreCapabilities } from "../../src/store/store.ts";

/** Stores that share one backend, which can be harmed. */
function conform(name: string, capabilities: StoreCapabilities, promises: boolean): void {
  const stores: MemoryStore[] = [];
  let fault: MemoryFault | null = null;
  const open = (lasting: MemoryFault | null = null) => {
    const store = conformanceMemoryStore({ capabilities, promises });
    store.fault = lasting ?? fault;
    if (lasting === null) stores.push(store);
    return store;
  };
  const suffer = async (next: MemoryFault | null) => {
    fault = next;
    for (const store of stores) store.fault = next;
  };
  storeConformance(
    { describe, it },
    {
      name,
      open,
      timeout: 100,
      backend: {
        stop: () => suffer("down"),
        hang: () => suffer("hang"),
        start: () => suffer(null),
        wrongPassword: () => open("denied"),
        garbage: () => open("garbage"),
      },
    },
  );
}

conform("memory, at once,", { folders: true, shared: true, quota: ["STORAGE", "MESSAGE"] }, false);
conform("memory, later,", { folders: true, shared: true, quota: ["STORAGE", "MESSAGE"] }, true);
conform("memory without folders", { folders: false, shared: true, quota: ["STORAGE"] }, true);
conform("memory without shared folders", { folders: true, shared: false, quota: ["MESSAGE"] }, true);
conform("memory without anything", { folders: false, shared: false, quota: [] }, true);
