/** Recorded requests put to the whole daemon with the imap store in front of a server, beside what is expected. */
import { expect } from "vitest";
import type { GoldenVariant } from "../../fixtures/golden.ts";
import { queryDifferences } from "../../fixtures/known-differences.ts";
import type { Cyrus } from "../../fixtures/servers/cyrus.ts";
import { startCyrusDaemon } from "../../fixtures/servers/cyrus-daemon.ts";
import { SocketmapClient } from "../../fixtures/socketmap-client.ts";
import { encodeNetstring } from "../../src/engine/netstring.ts";

export interface Exchange {
  readonly id: string;
  readonly key: string;
  readonly note: string;
  readonly reply: string;
}

/** All requests of a variant, put to the daemon on one connection. */
export async function replay(
  cyrus: Cyrus,
  variant: GoldenVariant,
  conf: Readonly<Record<string, string>>,
): Promise<Exchange[]> {
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
export function expected(variant: GoldenVariant, accepted: ReadonlySet<string>): Exchange[] {
  return variant.queries.map(({ id, key, note, reply }) => {
    const difference = accepted.has(id) ? `OK ${key}` : queryDifferences.get(id);
    return { id, key, note, reply: difference === undefined ? reply.toString("latin1") : encodeNetstring(difference) };
  });
}
