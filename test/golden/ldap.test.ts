/**
 * What the original was recorded to answer, asked of the whole daemon with the ldap store in front of a slapd that was
 * filled with the same mailboxes.
 */
import { expect, test } from "vitest";
import { type GoldenVariant, goldenNames, loadGolden, populationOf } from "../../fixtures/golden.ts";
import { queryDifferences } from "../../fixtures/known-differences.ts";
import { mailboxesConf, mailboxesServer, readerConf } from "../../fixtures/servers/ldap-mailboxes.ts";
import { Slapd } from "../../fixtures/servers/slapd.ts";
import { SocketmapClient } from "../../fixtures/socketmap-client.ts";
import { startConfiguredServer } from "../../fixtures/test-server.ts";
import { encodeNetstring } from "../../src/engine/netstring.ts";

/** Requests about what one entry a user cannot tell. The entry of a user is his INBOX, and holds the quota of it. */
const inexpressible = {
  "a folder whose owner has no INBOX": [
    ...["case-kept-028", "default-028", "default-213", "dot-028", "dot-alt-028", "slash-noalt-028", "vd-on-028"],
    ...["vd-userid-053", "vd-userid-124", "vd-userid-168"],
  ],
  "a quota root of a folder, over its limit, where the INBOX is under": [
    ...["default-089", "default-090", "dot-089", "dot-090", "perm-018", "perm-019"],
    ...["slash-noalt-062", "slash-noalt-063", "vd-userid-012", "vd-userid-230", "vd-userid-231"],
  ],
  "a quota root of a folder, with room, where the INBOX is over": [
    ...["default-093", "default-094", "dot-093", "dot-094", "perm-022", "perm-023"],
    ...["slash-noalt-066", "slash-noalt-067", "vd-userid-234", "vd-userid-235"],
  ],
};

const variants = goldenNames.map(loadGolden).filter(({ queries }) => queries.length > 0);
const replayed = new Map<string, Promise<ReadonlyMap<string, string>>>();

for (const variant of variants) {
  test(`${variant.name}: ${variant.queries.length} requests`, async () => {
    const exceptions = new Set(Object.values(inexpressible).flat());
    const replies = await repliesTo(variant);
    const queries = variant.queries.filter(({ id }) => !exceptions.has(id));
    const told = queries.map(({ id }) => [id, replies.get(id)]);
    expect(Object.fromEntries(told)).toEqual(
      Object.fromEntries(queries.map((query) => [query.id, expectedReply(query)])),
    );
  });
}

test("every request that is listed as inexpressible is answered otherwise", async () => {
  const different: string[] = [];
  for (const variant of variants) {
    const replies = await repliesTo(variant);
    const others = variant.queries.filter((query) => replies.get(query.id) !== expectedReply(query));
    different.push(...others.map(({ id }) => id));
  }
  expect(different.sort()).toEqual(Object.values(inexpressible).flat().sort());
});

/** Replayed once, whichever test comes first. */
function repliesTo(variant: GoldenVariant): Promise<ReadonlyMap<string, string>> {
  const replies = replayed.get(variant.name) ?? replay(variant);
  replayed.set(variant.name, replies);
  return replies;
}

function expectedReply({ id, reply }: GoldenVariant["queries"][number]): string {
  const difference = queryDifferences.get(id);
  return difference === undefined ? reply.toString("latin1") : encodeNetstring(difference);
}

/** Our replies to all requests of a variant, put to the daemon on one connection. */
async function replay(variant: GoldenVariant): Promise<Map<string, string>> {
  const mailboxes = variant.mailboxes.filter(({ type }) => type === "mailbox");
  const slapd = await Slapd.start(
    mailboxesServer({
      mailboxes: mailboxes.map(({ internal, acl }) => ({ name: internal, acl })),
      roots: populationOf(variant).roots,
      separator: variant.rules.separator,
    }),
  );
  const ours = { smmap_store: "ldap", smmap_cache_size: "0", ldap_uri: slapd.uri };
  const config = { ...variant.imapdConf, ...mailboxesConf, ...readerConf, ...ours };
  const server = await startConfiguredServer({ config, service: variant.service, prepare() {} });
  const client = await SocketmapClient.connect(server.path);
  try {
    const replies = new Map<string, string>();
    for (const { id, request } of variant.queries) {
      await client.send(request);
      replies.set(id, encodeNetstring(await client.receive()));
    }
    // The test's own imapd.conf may be read by everybody, which the daemon does not like.
    expect(server.complaints.filter((line) => !line.includes("chmod o-r"))).toEqual([]);
    return replies;
  } finally {
    client.close();
    await server.close();
    await slapd.close();
  }
}
