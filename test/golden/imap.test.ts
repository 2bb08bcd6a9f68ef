/**
 * What the original was recorded to answer, asked of the whole daemon with the imap store in front of a Cyrus that was
 * filled anew with what the recording was made on.
 */
import { expect, test } from "vitest";
import { queryDepartures } from "../../fixtures/departures.ts";
import { type GoldenVariant, goldenNames, loadGolden } from "../../fixtures/golden.ts";
import { roundedUsages } from "../../fixtures/imap-departures.ts";
import { Cyrus } from "../../fixtures/servers/cyrus.ts";
import { startCyrusDaemon } from "../../fixtures/servers/cyrus-daemon.ts";
import { goldenPopulation, populate } from "../../fixtures/servers/cyrus-population.ts";
import { SocketmapClient } from "../../fixtures/socketmap-client.ts";
import { encodeNetstring } from "../../src/engine/netstring.ts";

interface Exchange {
  readonly id: string;
  readonly key: string;
  readonly note: string;
  readonly reply: string;
}

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

/** All requests of a variant, put to the daemon on one connection. */
async function replay(cyrus: Cyrus, variant: GoldenVariant, conf: Record<string, string>): Promise<Exchange[]> {
  const daemon = await startCyrusDaemon(cyrus, { ...variant.imapdConf, ...conf }, variant.service);
  const client = await SocketmapClient.connect(daemon.path);
  try {
    const replies: Exchange[] = [];
    for (const { id, key, note, request } of variant.queries) {
      await client.send(request);
      replies.push({ id, key, note, reply: encodeNetstring(await client.receive()) });
    }
    expect(daemon.logged.filter((line) => !line.startsWith("info"))).toEqual([]);
    return replies;
  } finally {
    client.close();
    await daemon.close();
  }
}

/** @param accepted requests that are answered OK although the recording has the mailbox over its quota */
function expected(variant: GoldenVariant, accepted: ReadonlySet<string>): Exchange[] {
  return variant.queries.map(({ id, key, note, reply }) => {
    const departure = accepted.has(id) ? `OK ${key}` : queryDepartures.get(id);
    return { id, key, note, reply: departure === undefined ? reply.toString("latin1") : encodeNetstring(departure) };
  });
}
