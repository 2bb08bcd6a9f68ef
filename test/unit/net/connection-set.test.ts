import fc from "fast-check";
import { expect, it } from "vitest";
import { Roster } from "../../../src/net/connection-set.ts";

it("has whoever has come and not left, as a Set would", () => {
  const steps = fc.array(fc.record({ comes: fc.boolean(), who: fc.nat() }), { maxLength: 200 });
  fc.assert(
    fc.property(steps, (all) => {
      const roster = new Roster<{ seat: number }>();
      const wanted = new Set<{ seat: number }>();
      for (const { comes, who } of all) {
        const leaving = [...wanted][who % Math.max(1, wanted.size)];
        if (comes || leaving === undefined) {
          const member = { seat: -1 };
          roster.add(member);
          wanted.add(member);
        } else {
          roster.delete(leaving);
          wanted.delete(leaving);
        }
        expect(roster.size).toBe(wanted.size);
        expect(new Set(roster)).toEqual(wanted);
        expect([...roster].every((member) => wanted.has(member))).toBe(true);
      }
    }),
  );
});
