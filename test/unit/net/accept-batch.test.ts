import { describe, expect, it } from "vitest";
import { Arrivals } from "../../../src/net/accept-batch.ts";

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

/** @param now the clock; it stands still unless the test moves it */
function arrivals(now: () => number = () => 0) {
  const welcomed: number[][] = [];
  let group: number[] = [];
  const made = new Arrivals<number>((client) => {
    if (group.length === 0) welcomed.push(group);
    group.push(client);
  }, now);
  for (let i = 0; i < 100; i++) made.leave();
  /** Whoever is welcomed from now on is of another group. */
  const next = () => {
    group = [];
  };
  return { made, welcomed, next };
}

describe("clients who have just connected", () => {
  it("one that is alone is welcomed after a turn in which nobody came", async () => {
    const { made, welcomed } = arrivals();
    made.add(1);
    expect(welcomed).toEqual([]);
    await turn();
    await turn();
    expect(welcomed).toEqual([[1]]);
  });

  it("those of turns that follow each other are welcomed together, in their order", async () => {
    const { made, welcomed } = arrivals();
    for (let client = 1; client <= 5; client++) {
      made.add(client);
      await turn();
      expect(welcomed).toEqual([]);
    }
    await turn();
    expect(welcomed).toEqual([[1, 2, 3, 4, 5]]);
  });

  it("nobody waits for more than 31 others, however many come", async () => {
    const { made, welcomed, next } = arrivals();
    for (let client = 1; client <= 70; client++) {
      next();
      made.add(client);
      await turn();
    }
    next();
    await turn();
    expect(welcomed.map((group) => group.length)).toEqual([32, 32, 6]);
    expect(welcomed.flat()).toEqual(Array.from({ length: 70 }, (_, i) => i + 1));
  });

  it("where turns are long, the first one waits for a millisecond, and nobody is welcomed twice", async () => {
    let time = 0;
    const { made, welcomed, next } = arrivals(() => time);
    for (let client = 1; client <= 6; client++) {
      made.add(client);
      time += 0.4;
      await turn();
      if (welcomed.flat().length === client) next();
    }
    for (let i = 0; i < 3; i++) await turn();
    expect(welcomed).toEqual([
      [1, 2, 3],
      [4, 5, 6],
    ]);
  });

  it("those who come after a pause are welcomed, too", async () => {
    const { made, welcomed, next } = arrivals();
    for (const client of [1, 2, 3]) {
      next();
      made.add(client);
      for (let i = 0; i < 4; i++) await turn();
    }
    expect(welcomed).toEqual([[1], [2], [3]]);
  });

  it("whoever comes after one with whom something goes wrong is welcomed all the same", async () => {
    const order: number[] = [];
    const made = new Arrivals<number>((client) => {
      if (client === 2) throw new Error("a mistake");
      order.push(client);
    });
    for (let i = 0; i < 4; i++) made.leave();
    for (const client of [1, 2, 3]) made.add(client);
    expect(() => made.welcome()).toThrow("a mistake");
    expect(order).toEqual([1]);
    for (let i = 0; i < 3; i++) await turn();
    expect(order).toEqual([1, 3]);
  });

  it("only as many wait as have just left", async () => {
    let time = 0;
    const groups: number[][] = [];
    let group: number[] = [];
    const made = new Arrivals<number>(
      (client) => group.push(client),
      () => time,
    );
    const add = (client: number) => {
      group = [];
      made.add(client);
      if (group.length > 0) groups.push(group);
    };
    add(1);
    add(2);
    expect(groups).toEqual([[1], [2]]);
    for (let i = 0; i < 3; i++) made.leave();
    for (const client of [3, 4, 5, 6]) add(client);
    expect(groups).toEqual([[1], [2], [3, 4, 5], [6]]);
    for (let i = 0; i < 3; i++) made.leave();
    time = 6;
    add(7);
    expect(groups.at(-1)).toEqual([7]);
    made.leave();
    add(8);
    expect(groups.at(-1)).toEqual([8]);
  });

  it("can be welcomed at once, and then once only; one who is welcomed may end it all", async () => {
    const { welcomed, made, next } = arrivals();
    made.add(1);
    made.add(2);
    made.welcome();
    expect(welcomed).toEqual([[1, 2]]);
    next();
    await turn();
    await turn();
    expect(welcomed).toEqual([[1, 2]]);

    const order: string[] = [];
    const ending = new Arrivals<string>((client) => {
      order.push(client);
      ending.welcome();
    });
    for (let i = 0; i < 4; i++) ending.leave();
    for (const client of ["one", "two", "three"]) ending.add(client);
    ending.welcome();
    expect(order).toEqual(["one", "two", "three"]);
  });
});
