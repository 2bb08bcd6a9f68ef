/** The village agrees with itself, so that a backend filled with its messages says what the suite expects. */
import { describe, expect, it } from "vitest";
import { absentAddresses, conformanceMailboxes, conformanceRoots } from "../../src/conformance/index.ts";
import { internalName } from "../../src/engine/mailbox-name.ts";

describe("the village", () => {
  it.each(conformanceRoots.map((root) => [root.name, root] as const))(
    "%s: usage is the sum of its messages",
    (name, root) => {
      const sizes = conformanceMailboxes.filter((mailbox) => mailbox.root === name).flatMap(({ messages }) => messages);
      const octets = sizes.reduce((sum, size) => sum + size, 0);
      for (const { resource, used } of root.limits) expect(used).toBe(resource === "STORAGE" ? octets : sizes.length);
    },
  );

  it("counts in whole kibibytes, as RFC 9208 does", () => {
    expect(conformanceMailboxes.flatMap(({ messages }) => messages).filter((size) => size % 1024 !== 0)).toEqual([]);
    const storage = conformanceRoots.flatMap(({ limits }) => limits).filter(({ resource }) => resource === "STORAGE");
    expect(storage.filter(({ used, limit }) => used % 1024 !== 0 || limit % 1024 !== 0)).toEqual([]);
  });

  it("gives each mailbox the nearest root there is", () => {
    const names = conformanceRoots.map(({ name }) => name);
    for (const { name, root } of conformanceMailboxes) {
      const covering = names.filter((candidate) => name === candidate || name.startsWith(`${candidate}.`));
      expect(covering.sort((a, b) => b.length - a.length)[0] ?? null, name).toBe(root);
    }
  });

  it("has each mailbox and each root once, and no absent one", () => {
    const names = conformanceMailboxes.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    expect(conformanceRoots.filter(({ name }) => !names.includes(name))).toEqual([]);
    expect(absentAddresses.filter(({ id }) => names.includes(internalName(id)))).toEqual([]);
  });
});
