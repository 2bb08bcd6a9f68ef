/**
 * What the original was recorded to answer, asked of the whole daemon with the imap store in front of a Cyrus that was
 * filled anew with what the recording was made on.
 */
import { expect, test } from "vitest";
import { goldenNames, loadGolden } from "../../fixtures/golden.ts";
import { roundedUsages } from "../../fixtures/imap-known-differences.ts";
import { Cyrus } from "../../fixtures/servers/cyrus.ts";
import { goldenPopulation, populate } from "../../fixtures/servers/cyrus-population.ts";
import { expected, replay } from "./imap-replay.ts";

const variants = goldenNames.map(loadGolden).filter(({ queries }) => queries.length > 0);

for (const variant of variants) {
  test(`${variant.name}: ${variant.queries.length} requests`, async () => {
    const cyrus = await Cyrus.start({ imapdConf: variant.imapdConf, service: variant.service });
    try {
      await populate(cyrus, goldenPopulation(variant.name));
      expect(await replay(cyrus, variant, {}), "with rounded usages").toEqual(expected(variant, roundedUsages));
      const exact = await replay(cyrus, variant, { smmap_imap_exact_quota: "yes" });
      expect(exact, "with exact usages").toEqual(expected(variant, new Set()));
    } finally {
      await cyrus.stop();
    }
  });
}

test("every listed request has its recording, and would be over quota", () => {
  const replies = new Map(
    variants.flatMap((variant) => expected(variant, new Set()).map(({ id, reply }) => [id, reply])),
  );
  const listed = [...roundedUsages].map((id) => `${id}: ${replies.get(id)}`);
  expect(listed.length).toBeGreaterThan(50);
  expect(listed.filter((line) => !line.endsWith(" Over quota,"))).toEqual([]);
});
