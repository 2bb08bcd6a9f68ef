/** Each of our stores behind the daemon, as a service of Cyrus' real master(8): the same village in all of them. */
import { chmodSync, chownSync } from "node:fs";
import { afterEach, beforeEach, expect, it } from "vitest";
import { DaemonFolder } from "../../fixtures/daemon.ts";
import { Cyrus, cyrusAdmin } from "../../fixtures/servers/cyrus.ts";
import { populateConformanceData } from "../../fixtures/servers/cyrus-population.ts";
import { findAccount } from "../../fixtures/servers/cyrus-programs.ts";
import {
  conformanceContent,
  mailboxesConf,
  mailboxesServer,
  readerConf,
} from "../../fixtures/servers/ldap-mailboxes.ts";
import { Master } from "../../fixtures/servers/master.ts";
import { Slapd } from "../../fixtures/servers/slapd.ts";
import { SocketmapClient } from "../../fixtures/socketmap-client.ts";
import { createNativePopulation } from "../../fixtures/sqlite-database.ts";
import { conformanceMailboxes, conformanceRoots } from "../../src/conformance/index.ts";

let folder: DaemonFolder;
const toStop: (() => Promise<unknown>)[] = [];

beforeEach(() => {
  folder = new DaemonFolder();
});

afterEach(async () => {
  for (const stop of toStop.splice(0).reverse()) await stop();
  folder.remove();
});

/** Whatever is there first, and then what the store is told of it. */
const backends: Readonly<Record<string, () => Promise<Readonly<Record<string, string>>>>> = {
  async sqlite() {
    const mailboxes = conformanceMailboxes.map(({ name, anyone }) => ({ name, rights: anyone }));
    createNativePopulation(folder.at("mailboxes.db"), { mailboxes, roots: conformanceRoots });
    // Master's children are somebody else.
    chmodSync(folder.at("mailboxes.db"), 0o644);
    return { smmap_store: "sqlite", sql_database: folder.at("mailboxes.db") };
  },
  async ldap() {
    const slapd = await Slapd.start(mailboxesServer(conformanceContent));
    toStop.push(() => slapd.close());
    return { smmap_store: "ldap", ldap_uri: slapd.uri, ...mailboxesConf, ...readerConf };
  },
  async imap() {
    const cyrus = await Cyrus.start({ imapdConf: { virtdomains: "userid", defaultdomain: "village.example" } });
    toStop.push(() => cyrus.stop());
    await populateConformanceData(cyrus);
    const login = { proxy_authname: cyrusAdmin.name, proxy_password: cyrusAdmin.password };
    return { smmap_store: "imap", smmap_imap_server: `127.0.0.1:${cyrus.port}`, ...login };
  },
};

/** Keys, and the replies that every store comes to. */
const questions: readonly (readonly [key: string, reply: string])[] = [
  ["anna@village.example", "OK anna@village.example"],
  ["anna+Lists/Dev@village.example", "OK anna+Lists/Dev@village.example"],
  ["nobody@village.example", "NOTFOUND Mailbox does not exist"],
  ["dora@village.example", "TEMP Over quota"],
  ["gustav@village.example", "TEMP Over quota"],
  ["hugo@hill.example", "OK hugo@hill.example"],
  ["+Public/Post@village.example", "OK +Public/Post@village.example"],
  ["+Public/Look@village.example", "PERM Permission denied"],
  ["+Public/Secret@village.example", "NOTFOUND Mailbox does not exist"],
];

it.each(Object.keys(backends))("the %s store answers under master(8), and after SIGHUP again", async (name) => {
  const conf = { ...(await backends[name]?.()), virtdomains: "userid", defaultdomain: "village.example" };
  folder.configure(
    Object.entries({ debug: "yes", ...conf })
      .map(([key, value]) => `${key}: ${value}`)
      .join("\n"),
  );
  // It holds secrets.
  const { uid = -1, gid = -1 } = (await findAccount()).credentials;
  chownSync(folder.configFile, uid, gid);
  chmodSync(folder.configFile, 0o600);
  const master = await Master.start(folder, [{ name: "smmap", listen: folder.socket, prefork: 1 }]);
  toStop.push(() => master.stop());
  for (let round = 0; round < 2; round++) {
    const client = await SocketmapClient.connect(folder.socket);
    const replies = await client.askAll(questions.map(([key]) => key));
    expect(replies).toEqual(questions.map(([, reply]) => reply));
    client.close();
    master.hangUp();
    const executed = () => master.log.filter((line) => line.endsWith(" executed")).length;
    await master.until("the next process serves", () => executed() === round + 2);
  }
  expect(master.complaints).toEqual([]);
});
