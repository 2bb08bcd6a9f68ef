import { describe, expect, it } from "vitest";
import { ReplyQueue } from "../../../src/net/reply-queue.ts";
import { Lookup } from "../../../src/store/lookup.ts";

describe("a reply queue", () => {
  it("releases replies in the order of their requests, up to the first that is not ready", () => {
    const queue = new ReplyQueue();
    const first = queue.add(new Lookup(), null);
    queue.add(new Lookup(), "b");
    const third = queue.add(new Lookup(), null);
    expect(queue.takeReady()).toEqual({ count: 0, text: "" });
    first.reply = "a";
    expect(queue.takeReady()).toEqual({ count: 2, text: "ab" });
    expect(queue.size).toBe(1);
    third.reply = "c";
    expect(queue.takeReady()).toEqual({ count: 1, text: "c" });
    expect(queue.size).toBe(0);
  });

  it("aborts its look-ups and is then empty, and others are not affected", () => {
    const queue = new ReplyQueue();
    const other = new ReplyQueue();
    const lookup = new Lookup();
    const reason = new Error("closed");
    queue.add(lookup, null);
    queue.abort(reason);
    expect(lookup.signal.reason).toBe(reason);
    queue.add(new Lookup(), "a");
    expect([queue.size, other.size]).toEqual([1, 0]);
  });
});
