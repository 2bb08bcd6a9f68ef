/** The suite that every store must pass, on a real Cyrus. */
import { afterAll, beforeAll, describe, it } from "vitest";
import { Cyrus } from "../../fixtures/servers/cyrus.ts";
import { conformanceConf, populateConformanceData } from "../../fixtures/servers/cyrus-population.ts";
import { openImapStore } from "../../fixtures/servers/cyrus-store.ts";
import { ScriptedImap } from "../../fixtures/servers/scripted-imap.ts";
import { storeConformance } from "../../src/conformance/index.ts";

let cyrus: Cyrus;
let mad: ScriptedImap;

beforeAll(async () => {
  mad = await ScriptedImap.start((command) =>
    /^(LIST|AUTHENTICATE|CAPABILITY)/.test(command) ? null : "TAG MAYBE\r\n",
  );
  cyrus = await Cyrus.start({ imapdConf: conformanceConf });
  await populateConformanceData(cyrus);
});

afterAll(async () => {
  await mad?.close();
  await cyrus?.stop();
});

storeConformance(
  { describe, it },
  {
    name: "imap on Cyrus",
    open: () => openImapStore(cyrus, conformanceConf),
    timeout: 2000,
    backend: {
      stop: () => cyrus.stopMaster(),
      hang: () => cyrus.suspend(),
      start: async () => {
        await cyrus.resume();
        if (!cyrus.isRunning) await cyrus.startMaster();
      },
      wrongPassword: () => openImapStore(cyrus, { ...conformanceConf, proxy_password: "wrong" }),
      garbage: () => openImapStore(cyrus, { ...conformanceConf, smmap_imap_server: `127.0.0.1:${mad.port}` }),
    },
  },
);
