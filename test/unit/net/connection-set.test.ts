import fc from "fast-check";
import { expect, it } from "vitest";
import { ConnectionSet } from "../../../src/net/connection-set.ts";

it("a connection set has the members that were added and not deleted, as a Set would", () => {
  const steps = fc.array(fc.record({ adds: fc.boolean(), pick: fc.nat() }), { maxLength: 200 });
  fc.assert(
    fc.property(steps, (all) => {
      const set = new ConnectionSet<{ index: number }>();
      const expected = new Set<{ index: number }>();
      for (const { adds, pick } of all) {
        const picked = [...expected][pick % Math.max(1, expected.size)];
        if (adds || picked === undefined) {
          const member = { index: -1 };
          set.add(member);
          expected.add(member);
        } else {
          set.delete(picked);
          expected.delete(picked);
        }
        expect(set.size).toBe(expected.size);
        expect(new Set(set)).toEqual(expected);
        expect([...set].every((member) => expected.has(member))).toBe(true);
      }
    }),
  );
});
