/** The suite that every store must pass, on a real slapd. */
import { createServer, type Server } from "node:net";
import { afterAll, beforeAll, describe, it } from "vitest";
import {
  conformanceContent,
  mailboxesConf,
  mailboxesServer,
  readerConf,
} from "../../fixtures/servers/ldap-mailboxes.ts";
import { openLdapStore } from "../../fixtures/servers/ldap-store.ts";
import { Slapd } from "../../fixtures/servers/slapd.ts";
import { conformanceRules, storeConformance } from "../../src/conformance/index.ts";

let slapd: Slapd;
/** Answers everybody in the words of another protocol. */
let babbler: Server;
let babble = "";

const conf = {
  ...mailboxesConf,
  ...readerConf,
  virtdomains: "userid",
  defaultdomain: conformanceRules.defaultDomain,
};

beforeAll(async () => {
  slapd = await Slapd.start(mailboxesServer(conformanceContent));
  babbler = createServer((socket) => socket.on("error", () => {}).end("* OK IMAP4rev1 Service Ready\r\n"));
  await new Promise<void>((resolve) => babbler.listen(0, "127.0.0.1", resolve));
  babble = `ldap://127.0.0.1:${(babbler.address() as { port: number }).port}`;
});

afterAll(async () => {
  babbler?.close();
  await slapd?.close();
});

storeConformance(
  { describe, it },
  {
    name: "ldap on slapd",
    open: () => openLdapStore({ ...conf, ldap_uri: slapd.uri }),
    // One entry has one quota, so a folder cannot have a root of its own.
    holds: ({ name, root }) => root === null || !/^user\.[^.]+\./.test(root) || !name.startsWith(root),
    timeout: 2000,
    backend: {
      stop: () => slapd.kill(),
      hang: () => slapd.hang(),
      start: () => slapd.start(),
      wrongPassword: () => openLdapStore({ ...conf, ldap_uri: slapd.uri, ldap_password: "wrong" }),
      garbage: () => openLdapStore({ ...conf, ldap_uri: babble }),
    },
  },
);
