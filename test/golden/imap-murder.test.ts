/**
 * What the original was recorded to answer, asked of the whole daemon with the imap store in front of the frontend of a
 * murder, on both backends of which lies what the recording was made on.
 */
import { expect, test } from "vitest";
import { goldenNames, loadGolden } from "../../fixtures/golden.ts";
import { roundedUsages } from "../../fixtures/imap-known-differences.ts";
import { CyrusMurder } from "../../fixtures/servers/cyrus-murder.ts";
import { populateMurder } from "../../fixtures/servers/cyrus-murder-population.ts";
import { goldenPopulation } from "../../fixtures/servers/cyrus-population.ts";
import { expected, replay } from "./imap-replay.ts";

/** One with a single namespace and one with domains and domain-wide quotas; `npm run nightly` asks all. */
const names = process.env.NIGHTLY === "1" ? goldenNames : ["default", "vd-userid"];

for (const variant of names.map(loadGolden).filter(({ queries }) => queries.length > 0)) {
  test(`${variant.name}: ${variant.queries.length} requests are answered as recorded`, async () => {
    const { imapdConf, service, rules } = variant;
    const murder = await CyrusMurder.start({ imapdConf, service });
    try {
      await populateMurder(murder, goldenPopulation(variant.name), rules.separator);
      // A frontend of 3.6.1 shows no sizes of mailboxes (GETMETADATA), so smmap_imap_exact_quota has no effect.
      const replies = await replay(murder.frontend.cyrus, variant, {});
      expect(replies).toEqual(expected(variant, roundedUsages));
    } finally {
      await murder.stop();
    }
  });
}
