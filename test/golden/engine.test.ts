/** Every recorded request through the pure rules alone: a store in memory, no socket. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { goldenNames, loadGolden, populationOf } from "../../fixtures/golden.ts";
import { protocolDifferences, queryDifferences } from "../../fixtures/known-differences.ts";
import { MemoryStore } from "../../fixtures/memory-store.ts";
import { encodeNetstring, NetstringDecoder } from "../../src/engine/netstring.ts";
import { RecipientParser } from "../../src/engine/recipient.ts";
import { parseRequest } from "../../src/engine/socketmap.ts";
import { decide, replyTo, replyToBadProtocol } from "../../src/engine/verdict.ts";

const variants = goldenNames.map(loadGolden);

for (const variant of variants.filter(({ queries }) => queries.length > 0)) {
  test(`${variant.name}: ${variant.queries.length} requests`, async () => {
    const store = new MemoryStore(populationOf(variant));
    const recipients = new RecipientParser(variant.rules);
    const { signal } = new AbortController();
    for (const { id, request, reply } of variant.queries) {
      const decoder = new NetstringDecoder(request.length);
      decoder.write(request);
      const parsed = parseRequest(decoder.next() ?? "");
      let ours = replyToBadProtocol("missing key");
      if (parsed !== null) {
        const mailbox = recipients.parse(parsed.key);
        const verdict = mailbox.kind === "none" ? "absent" : decide(mailbox, await store.lookup(mailbox, { signal }));
        ours = replyTo(verdict, parsed.key, variant.policy);
      }
      const difference = queryDifferences.get(id);
      const recorded = reply.toString("latin1");
      expect({ id, reply: encodeNetstring(ours) }).toEqual({
        id,
        reply: difference === undefined ? recorded : encodeNetstring(difference),
      });
      if (difference !== undefined) expect(encodeNetstring(difference), `${id} is no difference`).not.toBe(recorded);
    }
  });
}

test("every known difference has a recording", () => {
  const ids = new Set(variants.flatMap(({ queries }) => queries.map(({ id }) => id)));
  expect([...queryDifferences.keys()].filter((id) => !ids.has(id))).toEqual([]);
});

test("every known difference is listed in docs/differences.md", () => {
  const text = readFileSync(new URL("../../docs/differences.md", import.meta.url), "utf8");
  // `vd-dot-204`, `-205` is short for `vd-dot-204`, `vd-dot-205`.
  let variant = "";
  const answers = text.slice(text.indexOf("## Answers"), text.indexOf("## On the wire"));
  const queries = [...answers.slice(answers.indexOf("###")).matchAll(/`([a-z-]+)?(-[0-9]{3})`/g)].map(
    ([, name, number]) => {
      variant = name ?? variant;
      return `${variant}${number}`;
    },
  );
  const protocol = [...text.matchAll(/`(protocol-[a-z0-9-]+)`/g)].map(([, id]) => id);
  expect(queries.sort()).toEqual([...queryDifferences.keys()].sort());
  expect(protocol.sort()).toEqual([...protocolDifferences.keys()].sort());
});

test("the recordings are all here", () => {
  expect(variants.length).toBe(22);
  expect(variants.flatMap(({ queries }) => queries).length).toBe(1867);
  expect(variants.flatMap(({ protocolCases }) => protocolCases).length).toBe(76);
});
