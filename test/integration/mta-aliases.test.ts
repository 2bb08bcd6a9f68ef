/** Every recipe of contrib at a site with aliases: no recipient that the mail server turns into another one is refused. */
import { afterAll, beforeAll, expect, it } from "vitest";
import { type AliasWay, aliasCases, aliasWays } from "../../fixtures/mta-alias-cases.ts";
import { MtaRig } from "../../fixtures/servers/mta-rig.ts";
import { type MtaSite, startSite } from "../../fixtures/servers/mta-site.ts";
import { SmtpClient } from "../../fixtures/servers/smtp-client.ts";
import { inShort, rcptAlone } from "./mta-trials.ts";

const ways = Object.keys(aliasWays) as AliasWay[];

let rig: MtaRig;
let site: MtaSite;

beforeAll(async () => {
  rig = await MtaRig.create();
  site = await startSite(rig);
}, 240_000);

afterAll(() => rig?.close());

it.each(aliasCases)("$what: $recipient", { timeout: 30_000 }, async ({ recipient, replies }) => {
  const asked = ways.filter((way) => replies[way] !== "");
  const found = asked.map(async (way) => [way, inShort(await rcptAlone(site.ports[way], recipient))] as const);
  const known = Object.fromEntries(await Promise.all(found));
  expect(known).toEqual(Object.fromEntries(asked.map((way) => [way, replies[way]])));
});

it.each(["access", "policy"] as const)("%s.cf keeps the restrictions that main.cf had", async (way) => {
  expect(inShort(await rcptAlone(site.ports[way], "emil@example.org"))).toBe("554 5.7.1");
});

it.each(["access", "policy"] as const)(
  "%s.cf does not ask about a subdomain of a domain in smmapd_domains",
  async (way) => {
    expect(inShort(await rcptAlone(site.ports[way], "nosuch@lists.example.org"))).toBe("250");
  },
);

it("Postfix has no warning about any recipe", async () => {
  for (const server of site.postfix) expect(await server.configuration()).not.toContain("warning");
});

it("Postfix defers while the aliases cannot be looked up", async () => {
  for (const { ports } of site.postfix) {
    expect((await rcptAlone(ports.noAliases ?? 0, "nosuch@example.org")).code).toBe(451);
  }
});

it("Exim does not ask smmapd about a sender", async () => {
  const client = await SmtpClient.open(site.ports.exim);
  for (const sender of ["dora", "nosuch"]) {
    expect(await client.command(`MAIL FROM:<${sender}@example.org>`)).toHaveProperty("code", 250);
    expect(inShort(await client.rcpt("anna@example.org"))).toBe("250");
    await client.command("RSET");
  }
  await client.quit();
});

it("Exim does not ask about a user whose .forward file it cannot look for", async () => {
  expect(inShort(await rcptAlone(site.ports.exim, "xaver@example.org"))).toBe("250");
});

it.each([
  ["anna", "250"],
  ["nosuch", "550 5.1.1"],
  ["dora", "452 4.2.2"],
  ["sales+x", "250"],
  ["root", "250"],
  ["webmaster+x", "250"],
  ["willi", "550 5.1.1"],
])("policy.cf for domains in mydestination replies to %s: %s", async (user, reply) => {
  expect(inShort(await rcptAlone(site.localPolicyPort, `${user}@example.org`))).toBe(reply);
});
