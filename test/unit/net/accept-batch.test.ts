import { describe, expect, it } from "vitest";
import { AcceptBatch } from "../../../src/net/accept-batch.ts";

const nextTick = () => new Promise<void>((resolve) => setImmediate(resolve));

/** A batch that expects 100 clients. @param now the clock; it stands still unless the test moves it */
function recordedBatch(now: () => number = () => 0) {
  const handled: number[][] = [];
  let group: number[] = [];
  const batch = new AcceptBatch<number>((client) => {
    if (group.length === 0) handled.push(group);
    group.push(client);
  }, now);
  for (let i = 0; i < 100; i++) batch.onClose();
  /** Clients that are handled from now on are recorded in another group. */
  const startGroup = () => {
    group = [];
  };
  return { batch, handled, startGroup };
}

describe("an accept batch", () => {
  it("handles a single client after a tick in which none was accepted", async () => {
    const { batch, handled } = recordedBatch();
    batch.add(1);
    expect(handled).toEqual([]);
    await nextTick();
    await nextTick();
    expect(handled).toEqual([[1]]);
  });

  it("handles the clients of consecutive ticks together, in their order", async () => {
    const { batch, handled } = recordedBatch();
    for (let client = 1; client <= 5; client++) {
      batch.add(client);
      await nextTick();
      expect(handled).toEqual([]);
    }
    await nextTick();
    expect(handled).toEqual([[1, 2, 3, 4, 5]]);
  });

  it("has at most 32 clients", async () => {
    const { batch, handled, startGroup } = recordedBatch();
    for (let client = 1; client <= 70; client++) {
      startGroup();
      batch.add(client);
      await nextTick();
    }
    startGroup();
    await nextTick();
    expect(handled.map((group) => group.length)).toEqual([32, 32, 6]);
    expect(handled.flat()).toEqual(Array.from({ length: 70 }, (_, i) => i + 1));
  });

  it("holds the first client for at most a millisecond where ticks are long, and handles each client once", async () => {
    let time = 0;
    const { batch, handled, startGroup } = recordedBatch(() => time);
    for (let client = 1; client <= 6; client++) {
      batch.add(client);
      time += 0.4;
      await nextTick();
      if (handled.flat().length === client) startGroup();
    }
    for (let i = 0; i < 3; i++) await nextTick();
    expect(handled).toEqual([
      [1, 2, 3],
      [4, 5, 6],
    ]);
  });

  it("handles clients that are accepted after a pause", async () => {
    const { batch, handled, startGroup } = recordedBatch();
    for (const client of [1, 2, 3]) {
      startGroup();
      batch.add(client);
      for (let i = 0; i < 4; i++) await nextTick();
    }
    expect(handled).toEqual([[1], [2], [3]]);
  });

  it("handles the clients that follow one whose handler throws", async () => {
    const order: number[] = [];
    const batch = new AcceptBatch<number>((client) => {
      if (client === 2) throw new Error("a deliberate failure");
      order.push(client);
    });
    for (let i = 0; i < 4; i++) batch.onClose();
    for (const client of [1, 2, 3]) batch.add(client);
    expect(() => batch.flush()).toThrow("a deliberate failure");
    expect(order).toEqual([1]);
    for (let i = 0; i < 3; i++) await nextTick();
    expect(order).toEqual([1, 3]);
  });

  it("holds back no more clients than connections were closed recently", async () => {
    let time = 0;
    const groups: number[][] = [];
    let group: number[] = [];
    const batch = new AcceptBatch<number>(
      (client) => group.push(client),
      () => time,
    );
    const add = (client: number) => {
      group = [];
      batch.add(client);
      if (group.length > 0) groups.push(group);
    };
    add(1);
    add(2);
    expect(groups).toEqual([[1], [2]]);
    for (let i = 0; i < 3; i++) batch.onClose();
    for (const client of [3, 4, 5, 6]) add(client);
    expect(groups).toEqual([[1], [2], [3, 4, 5], [6]]);
    for (let i = 0; i < 3; i++) batch.onClose();
    time = 6;
    add(7);
    expect(groups.at(-1)).toEqual([7]);
    batch.onClose();
    add(8);
    expect(groups.at(-1)).toEqual([8]);
  });

  it("handles each client once when it is flushed, also when a handler flushes it", async () => {
    const { handled, batch, startGroup } = recordedBatch();
    batch.add(1);
    batch.add(2);
    batch.flush();
    expect(handled).toEqual([[1, 2]]);
    startGroup();
    await nextTick();
    await nextTick();
    expect(handled).toEqual([[1, 2]]);

    const order: string[] = [];
    const reentrant = new AcceptBatch<string>((client) => {
      order.push(client);
      reentrant.flush();
    });
    for (let i = 0; i < 4; i++) reentrant.onClose();
    for (const client of ["one", "two", "three"]) reentrant.add(client);
    reentrant.flush();
    expect(order).toEqual(["one", "two", "three"]);
  });
});
