/** Every recipe of contrib at a site with aliases: no recipient that the mail server turns into another one is refused. */
import { afterAll, beforeAll, expect, it } from "vitest";
import { type AliasWay, aliasCases, aliasWays } from "../../fixtures/mta-alias-cases.ts";
import { MtaRig } from "../../fixtures/servers/mta-rig.ts";
import { startSite } from "../../fixtures/servers/mta-site.ts";
import { inShort, rcptAlone } from "./mta-trials.ts";

const ways = Object.keys(aliasWays) as AliasWay[];

let rig: MtaRig;
let ports: Readonly<Record<AliasWay, number>>;

beforeAll(async () => {
  rig = await MtaRig.create();
  ports = await startSite(rig);
}, 240_000);

afterAll(() => rig?.close());

it.each(aliasCases)("$what: $recipient", { timeout: 30_000 }, async ({ recipient, replies }) => {
  const asked = ways.filter((way) => replies[way] !== "");
  const found = asked.map(async (way) => [way, inShort(await rcptAlone(ports[way], recipient))] as const);
  const known = Object.fromEntries(await Promise.all(found));
  expect(known).toEqual(Object.fromEntries(asked.map((way) => [way, replies[way]])));
});
