import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { silentLog } from "../../../src/conformance/index.ts";
import { readConfiguration, startService } from "../../../src/daemon/service.ts";
import type { StoreContext } from "../../../src/store/store.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "service-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

it("an adapter learns the time for a look-up when it opens its store", async () => {
  const lines = [`configdirectory: ${folder}`, "smmap_store: ./store.mjs", "smmap_query_timeout: 7s"];
  const configFile = join(folder, "imapd.conf");
  writeFileSync(configFile, `${lines.join("\n")}\n`);
  writeFileSync(
    join(folder, "store.mjs"),
    `export const adapter = {
      name: "test",
      parse: () => null,
      open: (_options, context) => ({ name: "test", capabilities: { quota: [] }, context, close: async () => {} }),
    };`,
  );
  const contexts: StoreContext[] = [];
  const configuration = await readConfiguration({ configFile, env: {} });
  const openStore = (context: StoreContext) => {
    contexts.push(context);
    return configuration.openStore(context);
  };
  const { stack } = await startService({ ...configuration, openStore }, { skipPlus: false, log: silentLog });
  await stack.close();
  expect(contexts).toEqual([{ log: silentLog, lookupTimeout: 7_000 }]);
});
